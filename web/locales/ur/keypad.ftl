# کی پیڈ: یو ایس ایس ڈی کے صفحے اور لفظوں کے جواب۔ ایک صفحے میں 80 حروف۔

keypad-more = 98 مزید
keypad-menu-balance = بیلنس
keypad-menu-data = باقی پیکج
keypad-menu-number = میرا نمبر
keypad-menu-bundles = پیکج خریدیں
keypad-menu-recharge = اسکریچ کارڈ
keypad-menu-offers = پیشکشیں
keypad-menu-stop = سروس بند کریں
keypad-menu-language = زبان
keypad-menu-share = بیلنس شیئر
keypad-menu-advance = ایڈوانس
keypad-unknown = یہ کوڈ معلوم نہیں۔ سب کچھ: { $code }
keypad-wrong-choice = فہرست میں نہیں۔
keypad-balance = بیلنس { $amount }، میعاد { $date } تک۔
keypad-bonus = اس میں بونس: { $amount }
keypad-left = { $what }: { $left }، { $date } تک
keypad-nothing-left = کوئی پیکج نہیں۔ خریدیں: { $code }
keypad-number = آپ کا نمبر { $number } ہے۔
keypad-bundles = پیکج
keypad-none = ابھی کچھ نہیں۔
keypad-offer = { $name }، { $price } مع ٹیکس، { $date } تک
keypad-offer-until = { $name }، { $date } تک
keypad-no-offers = ابھی کوئی پیشکش نہیں۔
keypad-buy = خریدیں
keypad-buy-renew = خریدیں، خود تجدید ہو
keypad-sure = { $name }، { $price }، خریدیں؟ باقی { $left }
keypad-sure-renew = { $name }، { $price }، خود تجدید، خریدیں؟ باقی { $left }
keypad-yes = ہاں
keypad-no = نہیں
keypad-not-bought = کچھ نہیں خریدا گیا۔
keypad-too-little = { $name } کی قیمت { $price }، آپ کا بیلنس { $balance }
keypad-bought = { $name } فعال، { $date } تک۔ قیمت { $price }، بیلنس { $balance }
keypad-done = ہو گیا۔
keypad-card = کارڈ کے ہندسے لکھیں۔
keypad-bad-card = یہ کارڈ کے ہندسے نہیں۔ کچھ استعمال نہیں ہوا۔
keypad-no-cards = یہاں ابھی اسکریچ کارڈ نہیں چلتے۔
keypad-stop = بند کریں
keypad-stop-renewals = خود تجدید ({ $count })
keypad-stop-offers = پیشکشوں کے پیغام
keypad-renewals-stopped =
    { $count ->
        [0] کوئی پیکج خود تجدید نہیں ہوتا۔
        [one] ایک پیکج کی تجدید بند۔
       *[other] { $count } پیکجوں کی تجدید بند۔
    }
keypad-offers-stopped = اب پیشکشوں کے پیغام نہیں آئیں گے۔
keypad-language = زبان
keypad-language-set = اب پیغام اور مینو اردو میں ہیں۔
keypad-later = یہ سہولت ابھی دستیاب نہیں۔
keypad-sell-how = بیچنے کے لیے: کوڈ کے بعد نمبر*رقم*پن، یا LOAD نمبر رقم پن۔ کچھ نہیں بیچا گیا۔
keypad-no-shop = یہاں فروخت نہیں ہوتی۔ کچھ نہیں بیچا گیا۔
keypad-bad-amount = رقم واضح نہیں، صرف ہندسے لکھیں۔ کچھ نہیں ہوا۔
keypad-bad-pin = پن 4 سے 8 ہندسے کا ہوتا ہے۔ کچھ نہیں ہوا۔
keypad-busy = بہت رش ہے، ایک منٹ بعد کوشش کریں۔ کچھ نہیں ہوا۔
keypad-unknown-outcome = نتیجہ ابھی معلوم نہیں۔ دوبارہ سے پہلے بیلنس دیکھیں۔
keypad-session-over = وقت ختم ہو گیا۔ دوبارہ ڈائل کریں۔
keypad-too-many = بہت زیادہ درخواستیں۔ ایک منٹ ٹھہریں۔
keypad-sms-help = BAL بیلنس، DATA باقی، NUM نمبر، LIST پیکج، BUY کوڈ، CARD ہندسے، LANG EN/UR/ZH، STOP۔ { $code } پر بھیجیں۔
keypad-sms-meant = سمجھ نہیں آیا۔ کیا { $word } مراد ہے؟ کچھ نہیں ہوا۔ سب لفظ: HELP
keypad-sms-unknown = سمجھ نہیں آیا؛ کچھ نہیں ہوا۔ سب لفظ: HELP
keypad-sms-buy-how = BUY اور پیکج کا کوڈ لکھیں۔ فہرست: LIST۔ کچھ نہیں خریدا گیا۔
keypad-sms-card-how = CARD اور کارڈ کے ہندسے لکھیں۔ کچھ استعمال نہیں ہوا۔
keypad-sms-language-how = LANG EN، LANG UR یا LANG ZH لکھیں۔
keypad-sms-list = { $code } { $price }
keypad-not-allowed = یہ گیٹ وے معلوم نہیں۔
keypad-bad-request = یہ درخواست پڑھی نہیں جا سکی۔
keypad-sold = فروخت: { $amount }، { $number } کو۔ اسٹاک { $stock }۔ رسید { $receipt }
keypad-selling = جاری ہے: { $amount }، { $number } کو۔ اسٹاک { $stock }۔ { $receipt }
keypad-sent = بھیج دیا: { $amount }، { $number } کو۔ اسٹاک { $stock }۔ { $receipt }
keypad-stock = آپ کا اسٹاک { $stock } ہے۔
keypad-pin-changed = آپ کا پن بدل گیا۔
keypad-no-sales = ابھی کوئی فروخت نہیں۔
keypad-sale = { $number } { $amount } { $state }
keypad-sale-completed = مکمل
keypad-sale-failed = نہیں ہوا
keypad-sale-pending = جاری
