# Notices by e-mail and push, and how to stop them.

letter-stop = No more offers
letter-why = You get this because you asked for it. What you get:
sms-stopped = Raseed: no more offers to you. Receipts and security messages still come.
stop-title = Stop messages
stop-lead = You will not get these any more, by SMS, e-mail or push:
stop-do = Stop them
stop-done = Stopped:
stop-settings = All messages you get
email-title = E-mail
email-hint = Receipts and what you tick under Privacy come here too.
email-proven = proven
email-off = E-mail is not set up here.
email-sent = If the address is right, a code is on its way. It works for 15 minutes.
email-code = Code from the e-mail
email-prove = Prove the address
email-code-subject = Your code for Raseed
email-code-text = { $code } is your code to prove this e-mail address. It works for 15 minutes. Never tell it to anybody. You did not ask for it? Then nothing has to be done.
push-title = Push messages
push-hint = Messages on this device, also when Raseed is closed. What comes is ticked under Privacy.
push-here = Turn on for this device
push-refused = The browser does not allow it. Look at its settings for this site.
