offers-title = Offers
offers-lead = What recharges and bundles bring beside themselves, now and soon.
offers-operators = Operators
offers-all = All
offers-none = There is no offer at the moment.
offers-current = On now
offers-coming = Coming
offers-synthetic = Invented for the demonstration.
offers-fine = Gifts are given while their funds last; the price shows what you get before you pay. Nobody gets anything by chance.
offers-gift = You get
offers-gift-of = { $amount }: { $what }
offers-gift-percent = { $percent } of the credit, up to { $maximum }
offers-discount = You save
offers-for = With
offers-on-first = the first recharge
offers-on-recharge = a recharge
offers-on-bundle = a bundle
offers-from = From
offers-to = Up to
offers-code = Code
offers-channels = Paid by
offers-days = Days
offers-hours = Hours
offers-limit = How often
offers-limit-campaign = { $times ->
    [one] once
   *[other] { $times } times
}
offers-limit-day = { $times ->
    [one] once a day
   *[other] { $times } times a day
}
offers-limit-week = { $times ->
    [one] once a week
   *[other] { $times } times a week
}
offers-limit-month = { $times ->
    [one] once a month
   *[other] { $times } times a month
}
offers-period = When
offers-period-of = { $from } to { $until }
day-mon = Monday
day-tue = Tuesday
day-wed = Wednesday
day-thu = Thursday
day-fri = Friday
day-sat = Saturday
day-sun = Sunday
