# Scratch cards

card-title = Recharge with a scratch card
card-lead = Scratch off the strip, type the digits below it, and the value is added at once.
card-link = I have a scratch card
card-pin = Number under the strip
card-pin-hint = Spaces do not matter. Digits:
card-redeem = Recharge
card-care = After five wrong numbers you have to wait an hour, and longer each time. Keep the card until the value has arrived.
card-done = The value has arrived
card-done-before = This card was already added to this number
card-value = Value of the card
card-tax = Tax in it
card-balance = Balance now
card-serial = Serial number
card-receipt = Receipt
card-another = Another card
card-said = { $value } from the card, less tax, is in your balance: { $balance }.
card-said-before = This card was already added to your number.
