offers-title = پیشکشیں
offers-lead = ریچارج اور بنڈل کے ساتھ اور کیا ملتا ہے، ابھی اور جلد۔
offers-operators = آپریٹر
offers-all = سب
offers-none = اس وقت کوئی پیشکش نہیں۔
offers-current = جاری ہے
offers-coming = جلد آ رہی ہے
offers-synthetic = یہ صرف نمائش کے لیے فرضی ہے۔
offers-fine = تحفے رقم باقی رہنے تک ملتے ہیں؛ ادائیگی سے پہلے قیمت کے ساتھ دکھایا جاتا ہے کہ کیا ملے گا۔ یہاں قرعہ اندازی نہیں ہوتی۔
offers-gift = آپ کو ملے گا
offers-gift-of = { $amount }: { $what }
offers-gift-percent = جمع رقم کا { $percent }، زیادہ سے زیادہ { $maximum }
offers-discount = آپ کی بچت
offers-for = کس کے ساتھ
offers-on-first = پہلا ریچارج
offers-on-recharge = ریچارج
offers-on-bundle = بنڈل
offers-from = کم از کم
offers-to = زیادہ سے زیادہ
offers-code = کوڈ
offers-channels = ادائیگی کا ذریعہ
offers-days = دن
offers-hours = اوقات
offers-limit = کتنی بار
offers-limit-campaign = { $times ->
    [one] ایک بار
   *[other] { $times } بار
}
offers-limit-day = { $times ->
    [one] دن میں ایک بار
   *[other] دن میں { $times } بار
}
offers-limit-week = { $times ->
    [one] ہفتے میں ایک بار
   *[other] ہفتے میں { $times } بار
}
offers-limit-month = { $times ->
    [one] مہینے میں ایک بار
   *[other] مہینے میں { $times } بار
}
offers-period = کب
offers-period-of = { $from } سے { $until } تک
day-mon = پیر
day-tue = منگل
day-wed = بدھ
day-thu = جمعرات
day-fri = جمعہ
day-sat = ہفتہ
day-sun = اتوار
