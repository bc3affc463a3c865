# Text messages. Short: one message of 160 characters, or 70 in Urdu and Chinese.

sms-code = { $name } 验证码 { $code }，5 分钟内有效。请勿告诉任何人。
