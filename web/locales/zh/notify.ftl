# Notices by e-mail and push, and how to stop them.

letter-stop = 不再接收优惠
letter-why = 您收到此消息是因为您选择了接收。您的消息设置：
sms-stopped = Raseed：您将不再收到优惠消息。收据和安全消息仍会发送。
stop-title = 停止消息
stop-lead = 以下消息将不再通过短信、电子邮件或推送发送：
stop-do = 停止
stop-done = 已停止：
stop-settings = 您接收的所有消息
email-title = 电子邮箱
email-hint = 收据和您在隐私中勾选的消息也会发送到这里。
email-proven = 已验证
email-off = 此处未设置电子邮件。
email-sent = 如果地址正确，验证码正在发送中，15 分钟内有效。
email-code = 邮件中的验证码
email-prove = 验证地址
email-code-subject = 您的 Raseed 验证码
email-code-text = { $code } 是您验证此电子邮箱的验证码，15 分钟内有效。切勿告诉任何人。如果不是您本人操作，无需理会。
push-title = 推送消息
push-hint = 即使 Raseed 已关闭，此设备也能收到消息。可在隐私中选择接收内容。
push-here = 在此设备上开启
push-refused = 浏览器不允许。请查看浏览器对本网站的设置。
