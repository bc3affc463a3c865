"""A message centre that reads and writes its PDUs with smpplib. It serves one client until that unbinds.

usage: smpp_centre.py COUNT [CODE]
Prints `PORT n`, then one JSON object for each submit_sm, then `UNBOUND`. After COUNT submits it sends a text from a handset to CODE.
"""
import json
import socket
import struct
import sys
import uuid

import smpplib.client
import smpplib.smpp


class Numbers:
    sequence = 0

    def next_sequence(self):
        self.sequence += 1
        return self.sequence


def read_exactly(connection, count):
    octets = b""
    while len(octets) < count:
        more = connection.recv(count - len(octets))
        if not more:
            raise SystemExit("the client went away without unbind")
        octets += more
    return octets


def read_pdu(connection):
    length = read_exactly(connection, 4)
    octets = length + read_exactly(connection, struct.unpack(">L", length)[0] - 4)
    return smpplib.smpp.parse_pdu(octets, client=Numbers(), allow_unknown_opt_params=True)


def main(count, code="8000"):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.settimeout(30)
    print("PORT", listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    connection.settimeout(30)
    numbers = Numbers()

    def send(name, sequence=None, **fields):
        pdu = smpplib.smpp.make_pdu(name, client=numbers, **fields)
        if sequence is not None:
            pdu.sequence = sequence
        connection.sendall(pdu.generate())

    submits = 0
    while True:
        pdu = read_pdu(connection)
        if pdu.command == "bind_transceiver":
            print(json.dumps({"system_id": pdu.system_id.decode(), "password": pdu.password.decode()}), flush=True)
            send("bind_transceiver_resp", pdu.sequence, system_id="peer")
        elif pdu.command == "submit_sm":
            submits += 1
            message_id = str(uuid.uuid4())
            text = f"id:{message_id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:"
            receipt = dict(
                source_addr_ton=1,
                source_addr_npi=1,
                source_addr=pdu.destination_addr.decode(),
                dest_addr_ton=0,
                dest_addr_npi=0,
                destination_addr=pdu.source_addr.decode(),
                esm_class=4,
                short_message=text.encode(),
            )
            # Every other receipt overtakes its answer.
            if submits % 2:
                send("deliver_sm", **receipt)
            send("submit_sm_resp", pdu.sequence, message_id=message_id)
            if submits % 2 == 0:
                send("deliver_sm", **receipt)
            seen = {
                "source": pdu.source_addr.decode(),
                "source_ton": pdu.source_addr_ton,
                "destination": pdu.destination_addr.decode(),
                "esm_class": pdu.esm_class,
                "data_coding": pdu.data_coding,
                "registered_delivery": pdu.registered_delivery,
                "octets": pdu.short_message.hex(),
            }
            print(json.dumps(seen), flush=True)
            if submits == count:
                send("enquire_link")
                send(
                    "deliver_sm",
                    source_addr="923001234567",
                    destination_addr=code,
                    short_message=b"BAL",
                )
        elif pdu.command == "enquire_link":
            send("enquire_link_resp", pdu.sequence)
        elif pdu.command == "unbind":
            send("unbind_resp", pdu.sequence)
            print("UNBOUND", flush=True)
            return
        elif pdu.command not in ("deliver_sm_resp", "enquire_link_resp"):
            raise SystemExit("unexpected " + pdu.command)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
