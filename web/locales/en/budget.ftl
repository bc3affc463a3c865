# The budget of a month.

budget-lead = Say what a month may take. We tell you in time.
budget-none = No target is set. This is where you stand.
budget-of = { $spent } of { $target }
budget-over = At this pace you will be { $amount } over your target.
budget-under = At this pace you will stay { $amount } below your target.
budget-spent = Spent so far
budget-pace = On an average day
budget-days = Days left after today
budget-forecast = Forecast for the whole month
budget-how = The forecast is what you spent so far, and for each day that is left your own average of the last 30 days (or since your number was opened).
budget-target = Monthly target
budget-amount = At most in a month
budget-hint = Leave it empty to have no target.
budget-save = Save
budget-alerts = At 50, 80 and 100 %, and when the forecast passes the target, you see a notice here and get one message each in a month. Nothing is cut off. Messages can be turned off under Privacy.
budget-error = This is not an amount. Write it like { "1500" }.
budget-alert-50 = Half of your target for this month is spent.
budget-alert-80 = 80 % of your target for this month is spent.
budget-alert-100 = Your target for this month is reached.
