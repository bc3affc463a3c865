# Text messages. Short: one message of 160 characters, or 70 in Urdu and Chinese.

sms-code = { $name } 验证码 { $code }，5 分钟内有效。请勿告诉任何人。
sms-auto-set = 您的号码已设置自动充值{ $amount }。不是您？请在此结束：
sms-auto-soon = 将于{ $moment }自动充值{ $amount }。在此暂停：
sms-auto-held-day = 自动充值{ $amount }暂缓：已达每日上限。
sms-auto-held-month = 自动充值{ $amount }暂缓：已达每月上限。
sms-auto-held-count = 自动充值{ $amount }暂缓：已达每月次数。
sms-auto-again = 自动充值{ $amount }未支付：{ $why }。将于{ $moment }再试。
sms-auto-paused = 自动充值{ $amount }未支付，已暂停：{ $why }。
sms-auto-refused = 自动充值{ $amount }已暂停：号码不接受此充值。
sms-auto-stopped = 运营商已结束自动充值{ $amount }。
sms-budget-forecast = 按此速度，您本月将超出目标。
