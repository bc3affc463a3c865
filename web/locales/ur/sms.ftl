# Text messages. Short: one message of 160 characters, or 70 in Urdu and Chinese.

sms-code = { $name } کا کوڈ { $code }، 5 منٹ کے لیے۔ کسی کو نہ بتائیں۔
