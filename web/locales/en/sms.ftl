# Text messages. Short: one message of 160 characters, or 70 in Urdu and Chinese.

sms-code = { $code } is your code for { $name }. It works for 5 minutes. Never tell it to anybody.
