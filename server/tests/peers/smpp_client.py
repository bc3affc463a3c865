"""An ESME made with smpplib: binds to the message centre given by host and port, sends texts, and tells what came back.

usage: smpp_client.py HOST PORT
Prints one JSON object: accepted message ids, delivery receipts, texts from the handset.
"""
import json
import sys
import time

import smpplib.client
import smpplib.consts
import smpplib.gsm

TEXTS = [
    ("923000000001", "Plain text with € and [brackets]"),
    ("923000000002", "Long text. " * 30),
    ("923000000003", "آپ کا نیا بیلنس ہے۔ " * 10),
    ("923000000004", "您的余额。" * 30),
]


def main(host, port):
    seen = {"accepted": [], "receipts": [], "texts": [], "wrong_password": 0}
    wrong = smpplib.client.Client(host, port, allow_unknown_opt_params=True)
    wrong.connect()
    try:
        wrong.bind_transceiver(system_id="peer", password="wrong")
    except smpplib.exceptions.PDUError as error:
        seen["wrong_password"] = error.args[1]
    wrong.disconnect()

    client = smpplib.client.Client(host, port, allow_unknown_opt_params=True)
    client.connect()
    client.bind_transceiver(system_id="peer", password="secret")

    def received(pdu):
        message = (pdu.short_message or b"").decode("latin-1")
        if pdu.esm_class & smpplib.consts.SMPP_MSGTYPE_DELIVERYACK == 0 and pdu.esm_class & 0x04:
            seen["receipts"].append(message)
        else:
            seen["texts"].append(message)

    client.set_message_received_handler(lambda pdu: received(pdu))
    client.set_message_sent_handler(lambda pdu: seen["accepted"].append(pdu.message_id.decode()))
    sent = 0
    for number, text in TEXTS:
        parts, encoding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            client.send_message(
                source_addr_ton=smpplib.consts.SMPP_TON_ALNUM,
                source_addr="Peer",
                dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
                dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
                destination_addr=number,
                short_message=part,
                data_coding=encoding,
                esm_class=esm_class,
                registered_delivery=True,
            )
            sent += 1
    seen["sent"] = sent
    print("SENT", flush=True)
    deadline = time.monotonic() + 10
    client.timeout = 1
    while time.monotonic() < deadline:
        if len(seen["accepted"]) >= sent and len(seen["receipts"]) >= sent and seen["texts"]:
            break
        client.poll()
        time.sleep(0.01)
    client.unbind()
    client.disconnect()
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
