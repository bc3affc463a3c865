# Keypad: USSD pages and answers to keywords. Short: a page has 182 characters, or 80 in Urdu and Chinese.

keypad-more = 98 More
keypad-menu-balance = Balance
keypad-menu-data = What is left
keypad-menu-number = My number
keypad-menu-bundles = Buy a bundle
keypad-menu-recharge = Scratch card
keypad-menu-offers = Offers
keypad-menu-stop = Stop services
keypad-menu-language = Language
keypad-menu-share = Share balance
keypad-menu-advance = Advance
keypad-unknown = This code is not known. Everything: { $code }
keypad-wrong-choice = Not on the list.
keypad-balance = Your balance is { $amount }, valid until { $date }.
keypad-bonus = Bonus in it: { $amount }.
keypad-left = { $what }: { $left } until { $date }
keypad-nothing-left = You have no bundle. To buy one: { $code }
keypad-number = Your number is { $number }.
keypad-bundles = Bundles
keypad-none = Nothing here now.
keypad-offer = { $name }, { $price } with tax, until { $date }
keypad-offer-until = { $name }, until { $date }
keypad-no-offers = No offers now.
keypad-buy = Buy
keypad-buy-renew = Buy, renew by itself
keypad-sure = Buy { $name } for { $price }? Left: { $left }.
keypad-sure-renew = Buy { $name } for { $price } and renew it by itself? Left: { $left }.
keypad-yes = Yes
keypad-no = No
keypad-not-bought = Nothing was bought.
keypad-too-little = { $name } costs { $price }. Your balance is { $balance }.
keypad-bought = { $name } is active until { $date }. Price { $price }, balance { $balance }.
keypad-done = Done.
keypad-card = Type the digits of the card.
keypad-bad-card = These are not the digits of a card. Nothing was used.
keypad-no-cards = Scratch cards are not taken here yet.
keypad-stop = Stop
keypad-stop-renewals = Renewals ({ $count })
keypad-stop-offers = Messages with offers
keypad-renewals-stopped =
    { $count ->
        [0] No bundle renews by itself.
        [one] One bundle does not renew any more.
       *[other] { $count } bundles do not renew any more.
    }
keypad-offers-stopped = You get no more messages with offers.
keypad-language = Language
keypad-language-set = Messages and menus are in English now.
keypad-later = This is not offered yet.
keypad-sell-how = To sell: number*amount*PIN after the code, or LOAD number amount PIN. Nothing was sold.
keypad-no-shop = Sales are not made here. Nothing was sold.
keypad-bad-amount = The amount is not clear. Write digits only. Nothing was done.
keypad-bad-pin = This is not a PIN: 4 to 8 digits. Nothing was done.
keypad-busy = Too busy. Try again in a minute; nothing was done.
keypad-unknown-outcome = The outcome is not known yet. Ask for your balance before you try again.
keypad-session-over = This took too long. Please dial again.
keypad-too-many = Too many requests. Please wait a minute.
keypad-sms-help = BAL balance, DATA what is left, NUM number, LIST bundles, BUY code, CARD digits, LANG EN/UR/ZH, STOP. To { $code }.
keypad-sms-meant = Not understood. Did you mean { $word }? Nothing was done. HELP lists all words.
keypad-sms-unknown = Not understood; nothing was done. HELP lists all words.
keypad-sms-buy-how = Write BUY and the code of a bundle. LIST shows them. Nothing was bought.
keypad-sms-card-how = Write CARD and the digits of the card. Nothing was used.
keypad-sms-language-how = Write LANG EN, LANG UR or LANG ZH.
keypad-sms-list = { $code } { $price }
keypad-not-allowed = This gateway is not known.
keypad-bad-request = This request cannot be read.
keypad-sold = Sold: { $amount } to { $number }. Stock { $stock }. Receipt { $receipt }
keypad-selling = On its way: { $amount } to { $number }. Stock { $stock }. { $receipt }
keypad-sent = Sent: { $amount } to { $number }. Stock { $stock }. { $receipt }
keypad-stock = Your stock is { $stock }.
keypad-pin-changed = Your PIN was changed.
keypad-no-sales = No sales yet.
keypad-sale = { $number } { $amount } { $state }
keypad-sale-completed = done
keypad-sale-failed = not done
keypad-sale-pending = on its way
