# The page. Values are isolated by Fluent and become <bdi> in HTML.

skip = Skip to the content
languages = Language
sign-out = Sign out
footer = Raseed: every rupee explained.
demo-note = This is a demonstration on invented accounts.
demo-link = Handset and shop

title-start = Sign in
start-heading = Your balance, explained
start-lead = See what you have, what it was used for, and why.
start-number = Mobile number
start-send = Send me a code
start-hint = We send a code by SMS. There is no password.
start-demo = Demonstration numbers:
error-number = This is not a phone number. Write it like { "0300 1234567" }.

title-code = Enter the code
code-heading = Enter the code
code-sent = If { $number } is one of ours, a code is on its way to it. It works for 5 minutes.
code-label = 6-digit code
code-send = Sign in
code-other = Use another number, or ask for a new code
code-demo = Open the demonstration handset to read the SMS
error-code = This code is not right, or it is too old.

title-account = My account
balance = Balance
held = { $amount } of it is held by calls and data in progress.
valid-until = Valid until { $date }
days-left =
    { $count ->
        [one] { $count } day left
       *[other] { $count } days left
    }
hours-left =
    { $count ->
        [one] { $count } hour left
       *[other] { $count } hours left
    }
minutes-left =
    { $count ->
        [one] { $count } minute left
       *[other] { $count } minutes left
    }
warning-low = Your balance is low. Recharge soon.
warning-expired = Your balance has passed its date. A recharge brings it back.
warning-suspended = This number is suspended. Ask your operator.
warning-closed = This account is closed.
notice-bought = Done: the bundle is yours.

bundles-none = You have no bundle. Calls, messages and data are paid from the balance.
ends = Ends { $moment }.
left-of = { $left } of { $initial }
renews = Renews by itself.
renews-stop = Stop that
scope-any = Everything
scope-data = Data
scope-voice = Calls
scope-sms = Messages
scope-on-net = same network
scope-off-net = other networks
scope-international = abroad
scope-national = all networks
scope-special = short codes
list-separator = { ", " }

bundles-buy = Buy a bundle
prices-as-of = Demonstration prices of { $date }.
prices-with-tax = Tax is inside.
tax-inside = { $amount } of it is tax.
synthetic = Partly invented for the demonstration.
period-daily = Daily
period-weekly = Weekly
period-monthly = Monthly
period-one-off = Other
renew-ask = Renew it by itself when it ends
buy = Buy now
buy-short = Your balance is not enough for this.

statement = Statement
statement-hint = Open a line to see why.
statement-none = Nothing has happened yet.
statement-more = Show more
why = Why?
why-used = You used { $used }.
why-bucket = From { $name }: { $count } × { $step }.
why-tariff = { $name }: { $count } × { $price } for each { $each } = { $total }.
why-each-sms =
    { $count ->
        [one] { $count } message
       *[other] { $count } messages
    }
why-setup = Set-up fee: { $amount }.
why-free = { $amount } was free: the most that one session can cost was reached.
why-total = Taken from the balance: { $cost }; { $tax } of it is tax.
why-nothing = Nothing was taken from the balance.
why-uncovered = { $amount } was used beyond the balance and is not collected.
why-partial = This tells of { $count } reports; there were more.
why-open = It is still going on.
why-each = Each report of the network ({ $count })
line-opening = Opening balance
line-recharge = Recharge
line-recharge-detail = paid { $gross }, tax { $tax }
line-refund = Refund
line-taken-back = Recharge returned to the payer
line-renewal-failed = { $name } was not renewed
line-expiry = Expired
line-state-active = Account active again
line-state-expired = Validity ended
line-state-suspended = Account suspended
line-state-closed = Account closed
line-data = Data
line-voice = Call to { $to }
line-incoming = Call received
line-sms = SMS to { $to }
line-unknown-number = unknown number
line-from-buckets = { $used } from bundles
line-partly-from-buckets = { $used }, partly from bundles

minutes =
    { $count ->
        [one] { $count } minute
       *[other] { $count } minutes
    }
minutes-seconds = { $clock } min
messages = { $count } SMS
date = { $day } { $month } { $year }
moment = { $date }, { $time }
month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December

title-demo = Handset and shop
demo-heading = The demonstration's handset and shop
demo-lead = Sell a recharge and watch the message arrive.
demo-numbers = Numbers
demo-handset = Messages
demo-shop = Shop
demo-shop-hint = The shop sells from its float over the same interface as any partner.
demo-amount = Amount in rupees
demo-sell = Recharge
demo-account = This number's account
demo-account-hint = Sign in with the code that arrives in the handset.
demo-sign-in = Send the code
demo-dial = Dial
demo-dial-code = Code
demo-dial-answer = Answer
demo-dial-call = Call
demo-dial-send = Send
demo-dial-end = Hang up
inbox-empty = No messages yet.
receipt = Receipt
receipt-number = Number
receipt-paid = Paid
receipt-tax = { $name } { $rate }
receipt-credited = Added to the balance
receipt-valid = Valid until
receipt-promotion = Gift

error-code-number = Code
error-home = Back to the start
wait-minutes = { $count ->
    [one] Please try again in { $count } minute.
   *[other] Please try again in { $count } minutes.
}
