# The page. Values are isolated by Fluent and become <bdi> in HTML.

skip = سیدھا مواد پر جائیں
languages = زبان
sign-out = سائن آؤٹ
footer = رسید: ہر روپے کا حساب۔
demo-note = یہ فرضی کھاتوں پر ایک نمونہ ہے۔
demo-link = فون اور دکان

title-start = سائن ان
start-heading = آپ کا بیلنس، پورے حساب کے ساتھ
start-lead = دیکھیں آپ کے پاس کیا ہے، کہاں خرچ ہوا اور کیوں۔
start-number = موبائل نمبر
start-send = مجھے کوڈ بھیجیں
start-hint = ہم SMS سے کوڈ بھیجتے ہیں۔ پاس ورڈ کی ضرورت نہیں۔
start-demo = نمونے کے نمبر:
error-number = یہ فون نمبر نہیں ہے۔ اسے یوں لکھیں: { "⁨0300 1234567⁩" }

title-code = کوڈ لکھیں
code-heading = کوڈ لکھیں
code-sent = اگر { $number } ہمارا نمبر ہے تو اس پر کوڈ بھیج دیا گیا ہے۔ یہ 5 منٹ تک چلے گا۔
code-label = چھ ہندسوں کا کوڈ
code-send = سائن ان
code-other = کوئی اور نمبر لکھیں یا نیا کوڈ منگوائیں
code-demo = SMS پڑھنے کے لیے نمونے کا فون کھولیں
error-code = یہ کوڈ درست نہیں یا پرانا ہو گیا ہے۔

title-account = میرا کھاتہ
balance = بیلنس
held = اس میں سے { $amount } جاری کال یا ڈیٹا کے لیے محفوظ ہیں۔
valid-until = { $date } تک کارآمد
days-left =
    { $count ->
        [one] { $count } دن باقی
       *[other] { $count } دن باقی
    }
hours-left =
    { $count ->
        [one] { $count } گھنٹہ باقی
       *[other] { $count } گھنٹے باقی
    }
minutes-left =
    { $count ->
        [one] { $count } منٹ باقی
       *[other] { $count } منٹ باقی
    }
warning-low = آپ کا بیلنس کم ہے۔ جلد ریچارج کریں۔
warning-expired = آپ کے بیلنس کی تاریخ گزر چکی ہے۔ ریچارج سے بحال ہو جائے گا۔
warning-suspended = یہ نمبر معطل ہے۔ اپنے آپریٹر سے پوچھیں۔
warning-closed = یہ کھاتہ بند ہے۔
notice-bought = ہو گیا: پیکج آپ کا ہے۔

bundles-none = آپ کے پاس کوئی پیکج نہیں۔ کال، پیغام اور ڈیٹا بیلنس سے کٹتے ہیں۔
ends = { $moment } پر ختم۔
left-of = { $initial } میں سے { $left }
renews = خود بخود نیا ہوتا ہے۔
renews-stop = اسے روکیں
scope-any = سب کچھ
scope-data = ڈیٹا
scope-voice = کالیں
scope-sms = پیغامات
scope-on-net = اسی نیٹ ورک پر
scope-off-net = دوسرے نیٹ ورک پر
scope-international = بیرونِ ملک
scope-national = تمام نیٹ ورک
scope-special = مختصر نمبر
list-separator = { "، " }

bundles-buy = پیکج خریدیں
prices-as-of = { $date } کی نمونہ قیمتیں۔
prices-with-tax = ٹیکس شامل ہے۔
tax-inside = اس میں { $amount } ٹیکس ہے۔
synthetic = کچھ حصہ نمونے کے لیے فرضی ہے۔
period-daily = روزانہ
period-weekly = ہفتہ وار
period-monthly = ماہانہ
period-one-off = دیگر
renew-ask = ختم ہونے پر خود بخود نیا کریں
buy = ابھی خریدیں
buy-short = اس کے لیے آپ کا بیلنس کافی نہیں۔

statement = حساب کتاب
statement-hint = وجہ دیکھنے کے لیے کسی سطر کو کھولیں۔
statement-none = ابھی تک کچھ نہیں ہوا۔
statement-more = مزید دکھائیں
why = کیوں؟
why-used = آپ نے { $used } استعمال کیا۔
why-bucket = { $name } سے: { $count } × { $step }۔
why-tariff = { $name }: { $count } × { $price } فی { $each } = { $total }۔
why-each-sms =
    { $count ->
        [one] { $count } پیغام
       *[other] { $count } پیغامات
    }
why-setup = کال ملانے کی فیس: { $amount }۔
why-free = { $amount } مفت تھا: ایک سیشن کی زیادہ سے زیادہ قیمت پوری ہو گئی تھی۔
why-total = بیلنس سے کٹا: { $cost }؛ اس میں { $tax } ٹیکس ہے۔
why-nothing = بیلنس سے کچھ نہیں کٹا۔
why-uncovered = { $amount } بیلنس سے زیادہ استعمال ہوا، یہ وصول نہیں کیا گیا۔
why-partial = یہ { $count } رپورٹوں کا حساب ہے؛ اور بھی تھیں۔
why-open = یہ ابھی جاری ہے۔
why-each = نیٹ ورک کی ہر رپورٹ ({ $count })
line-opening = ابتدائی بیلنس
line-recharge = ریچارج
line-recharge-detail = ادائیگی { $gross }، ٹیکس { $tax }
line-refund = واپسی
line-taken-back = ریچارج ادا کرنے والے کو واپس
line-renewal-failed = { $name } نیا نہیں ہو سکا
line-expiry = میعاد ختم
line-state-active = کھاتہ دوبارہ فعال
line-state-expired = میعاد پوری ہوئی
line-state-suspended = کھاتہ معطل
line-state-closed = کھاتہ بند
line-data = ڈیٹا
line-voice = { $to } پر کال
line-incoming = موصول کال
line-sms = { $to } کو SMS
line-unknown-number = نامعلوم نمبر
line-from-buckets = { $used } پیکج سے
line-partly-from-buckets = { $used }، کچھ پیکج سے

minutes =
    { $count ->
        [one] { $count } منٹ
       *[other] { $count } منٹ
    }
minutes-seconds = { $clock } منٹ
messages = { $count } SMS
date = { $day } { $month } { $year }
moment = { $date }، { $time }
month-1 = جنوری
month-2 = فروری
month-3 = مارچ
month-4 = اپریل
month-5 = مئی
month-6 = جون
month-7 = جولائی
month-8 = اگست
month-9 = ستمبر
month-10 = اکتوبر
month-11 = نومبر
month-12 = دسمبر

title-demo = فون اور دکان
demo-heading = نمونے کا فون اور دکان
demo-lead = ریچارج بیچیں اور پیغام آتا دیکھیں۔
demo-numbers = نمبر
demo-handset = پیغامات
demo-shop = دکان
demo-shop-hint = دکان اپنے فلوٹ سے اسی راستے سے بیچتی ہے جس سے ہر شراکت دار۔
demo-amount = رقم روپوں میں
demo-sell = ریچارج کریں
demo-account = اس نمبر کا کھاتہ
demo-account-hint = فون پر آنے والے کوڈ سے سائن ان کریں۔
demo-sign-in = کوڈ بھیجیں
demo-dial = ڈائل کریں
demo-dial-code = کوڈ
demo-dial-answer = جواب
demo-dial-call = کال کریں
demo-dial-send = بھیجیں
demo-dial-end = بند کریں
inbox-empty = ابھی کوئی پیغام نہیں۔
receipt = رسید
receipt-number = نمبر
receipt-paid = ادا کیا
receipt-tax = { $name } { $rate }
receipt-credited = بیلنس میں شامل
receipt-valid = کارآمد تا
receipt-promotion = تحفہ

error-code-number = کوڈ
error-home = شروع پر واپس
wait-minutes = براہِ کرم { $count } منٹ بعد دوبارہ کوشش کریں۔
