"""A USSD gateway that reads and writes its PDUs with smpplib. It serves one client until that unbinds.

Prints `PORT n` and `BOUND`. Each line on standard input, `OPERATION NUMBER CODE SESSION SEQUENCE TEXT`, becomes a deliver_sm
with ussd_service_op and its_session_info; each submit_sm becomes one JSON object on standard output.
"""
import json
import select
import socket
import struct
import sys

import smpplib.client
import smpplib.smpp

USSD_SERVICE_OP = 0x0501


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


def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.settimeout(60)
    print("PORT", listener.getsockname()[1], flush=True)
    connection, _ = listener.accept()
    connection.settimeout(60)
    numbers = Numbers()

    def send(name, sequence=None, extra=b"", **fields):
        pdu = smpplib.smpp.make_pdu(name, client=numbers, **fields)
        if sequence is not None:
            pdu.sequence = sequence
        octets = pdu.generate() + extra
        connection.sendall(struct.pack(">L", len(octets)) + octets[4:])

    def dial(line):
        operation, number, code, session, sequence, text = (line.rstrip("\n").split(" ", 5) + [""])[:6]
        # smpplib knows this parameter in submit_sm only.
        extra = struct.pack(">HHB", USSD_SERVICE_OP, 1, int(operation))
        send(
            "deliver_sm",
            extra=extra,
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr=number,
            destination_addr=code,
            its_session_info=(int(session) << 8) | int(sequence),
            short_message=text.encode(),
        )

    while True:
        ready, _, _ = select.select([connection, sys.stdin], [], [], 60)
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return
            dial(line)
        if connection not in ready:
            continue
        pdu = read_pdu(connection)
        if pdu.command == "bind_transceiver":
            send("bind_transceiver_resp", pdu.sequence, system_id="ussd")
            print("BOUND", flush=True)
        elif pdu.command == "submit_sm":
            send("submit_sm_resp", pdu.sequence, message_id="m")
            seen = {
                "from": pdu.source_addr.decode(),
                "to": pdu.destination_addr.decode(),
                "data_coding": pdu.data_coding,
                "operation": pdu.ussd_service_op,
                "session": pdu.its_session_info >> 8,
                "sequence": pdu.its_session_info & 0xFF,
                "octets": pdu.short_message.hex(),
            }
            print(json.dumps(seen), flush=True)
        elif pdu.command == "enquire_link":
            send("enquire_link_resp", pdu.sequence)
        elif pdu.command == "unbind":
            send("unbind_resp", pdu.sequence)
            return
        elif pdu.command not in ("deliver_sm_resp", "enquire_link_resp"):
            raise SystemExit("unexpected " + pdu.command)


if __name__ == "__main__":
    main()
