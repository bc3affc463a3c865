# Text messages. Short: one message of 160 characters, or 70 in Urdu and Chinese.

sms-code = { $name } کا کوڈ { $code }، 5 منٹ کے لیے۔ کسی کو نہ بتائیں۔
sms-auto-set = آپ کے نمبر پر { $amount } کا خودکار ریچارج مقرر ہوا۔ آپ نے نہیں کیا؟ یہاں ختم کریں:
sms-auto-soon = { $amount } کا خودکار ریچارج { $moment } کو ہو گا۔ یہاں روکیں:
sms-auto-held-day = { $amount } کا خودکار ریچارج رکا ہے: دن کی حد پوری ہو گئی۔
sms-auto-held-month = { $amount } کا خودکار ریچارج رکا ہے: مہینے کی حد پوری ہو گئی۔
sms-auto-held-count = { $amount } کا خودکار ریچارج رکا ہے: مہینے کی تعداد پوری ہو گئی۔
sms-auto-again = { $amount } کا خودکار ریچارج ادا نہیں ہوا: { $why }۔ { $moment } کو دوبارہ کوشش ہو گی۔
sms-auto-paused = { $amount } کا خودکار ریچارج ادا نہیں ہوا اور روک دیا گیا: { $why }۔
sms-auto-refused = { $amount } کا خودکار ریچارج روک دیا گیا: نمبر اسے قبول نہیں کرتا۔
sms-auto-stopped = { $amount } کا خودکار ریچارج آپریٹر نے ختم کر دیا۔
sms-budget-forecast = اس رفتار سے آپ اس مہینے کے ہدف سے آگے نکل جائیں گے۔
