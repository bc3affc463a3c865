# The frame of every page: places, colours, installing, and times without a network.

app-name = Raseed: prepaid balance
app-short = Raseed
app-about = Your prepaid balance, recharge and receipts, with every rupee explained.
shortcut-balance = Balance

places = Main places
places-all = All places
place-home = Home
place-recharge = Recharge
place-bundles = Bundles
place-statement = Statement
place-receipts = Receipts
place-budget = Budget
place-auto = Auto-recharge
place-offers = Offers
place-outlets = Outlets
place-complaints = Complaints
place-profile = Profile
place-verify = Check a receipt
place-help = Help
place-sign-in = Sign in
place-more = More

signed-in = Signed in
themes = Appearance
theme-auto = Automatic
theme-light = Light
theme-dark = Dark
install-title = On your home screen
install-hint = Raseed opens like an app and shows your last balance without a network.
install = Install

away = You are offline
away-as-of = You are offline. This is as of
offline-title = You are offline
offline-lead = This page needs a network. Your balance and receipts are kept here after you have looked at them once.
offline-home = Back to the start
