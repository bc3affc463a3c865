# Text messages. Short: one message of 160 characters, or 70 in Urdu and Chinese.

sms-code = { $code } is your code for { $name }. It works for 5 minutes. Never tell it to anybody.
sms-auto-set = Auto-recharge of { $amount } is set up for your number. Not you? End it here:
sms-auto-soon = Auto-recharge of { $amount } comes on { $moment }. Pause it here:
sms-auto-held-day = Auto-recharge of { $amount } waits: your limit of the day is reached.
sms-auto-held-month = Auto-recharge of { $amount } waits: your limit of the month is reached.
sms-auto-held-count = Auto-recharge of { $amount } waits: your number of recharges in a month is reached.
sms-auto-again = Auto-recharge of { $amount } was not paid: { $why }. It is tried again on { $moment }.
sms-auto-paused = Auto-recharge of { $amount } was not paid and is paused: { $why }.
sms-auto-refused = Auto-recharge of { $amount } is paused: the number does not take it.
sms-auto-stopped = Auto-recharge of { $amount } was ended by the operator.
sms-budget-forecast = At this pace you will pass your target for this month.
