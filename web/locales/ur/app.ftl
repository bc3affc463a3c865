# ہر صفحے کا ڈھانچا: جگہیں، رنگ، انسٹال، اور بغیر نیٹ ورک کے وقت۔

app-name = رسید: پری پیڈ بیلنس
app-short = رسید
app-about = آپ کا پری پیڈ بیلنس، ریچارج اور رسیدیں، ہر روپے کے حساب کے ساتھ۔
shortcut-balance = بیلنس

places = اہم جگہیں
places-all = تمام جگہیں
place-home = ہوم
place-recharge = ریچارج
place-bundles = پیکج
place-statement = حساب کتاب
place-receipts = رسیدیں
place-budget = بجٹ
place-auto = خودکار ریچارج
place-offers = آفرز
place-outlets = دکانیں
place-complaints = شکایات
place-profile = پروفائل
place-verify = رسید کی جانچ
place-help = مدد
place-sign-in = سائن ان
place-more = مزید

signed-in = سائن ان ہیں
themes = ظاہری انداز
theme-auto = خودکار
theme-light = روشن
theme-dark = گہرا
install-title = آپ کی ہوم اسکرین پر
install-hint = رسید ایپ کی طرح کھلتی ہے اور نیٹ ورک کے بغیر بھی آخری بیلنس دکھاتی ہے۔
install = انسٹال کریں

away = آپ آف لائن ہیں
away-as-of = آپ آف لائن ہیں۔ یہ معلومات اس وقت کی ہیں:
offline-title = آپ آف لائن ہیں
offline-lead = اس صفحے کے لیے نیٹ ورک درکار ہے۔ بیلنس اور رسیدیں ایک بار دیکھنے کے بعد یہاں محفوظ رہتی ہیں۔
offline-home = شروع کے صفحے پر واپس
