"""A credit-control client made with python-diameter: sessions with I, U and T, several services, an event, a stranger.

usage: diameter_client.py HOST PORT SERVER_HOST SERVER_REALM MSISDN IMSI
Prints OPEN while a session is open that waits for a Re-Auth-Request, then one JSON object: what each request was answered.
"""
import json
import sys
import threading

from diameter.message.avp.grouped import (
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)
from diameter.message.commands.credit_control import CreditControlRequest
from diameter.message.commands.re_auth import ReAuthAnswer
from diameter.message.constants import (
    APP_DIAMETER_CREDIT_CONTROL_APPLICATION,
    E_RESULT_CODE_DIAMETER_SUCCESS,
)
from diameter.node import Node
from diameter.node.application import SimpleThreadingApplication

INITIAL, UPDATE, TERMINATION, EVENT = 1, 2, 3, 4
END_USER_E164, END_USER_IMSI = 0, 1
DIRECT_DEBITING, CHECK_BALANCE, PRICE_ENQUIRY = 0, 2, 3
MEGABYTE = 1 << 20


def octets(used=None, asked=None, group=None):
    service = MultipleServicesCreditControl(rating_group=group)
    if asked is not None:
        service.requested_service_unit = RequestedServiceUnit(cc_total_octets=asked)
    if used is not None:
        service.used_service_unit = [UsedServiceUnit(cc_total_octets=used)]
    return service


class Client:
    def __init__(self, host, port, server_host, server_realm):
        self.realm = server_realm
        self.asked = threading.Event()
        self.node = Node("client.peer.example", "peer.example")
        peer = self.node.add_peer(
            f"aaa://{server_host}:{port};transport=tcp", server_realm, ip_addresses=[host], is_persistent=True
        )
        self.app = SimpleThreadingApplication(
            APP_DIAMETER_CREDIT_CONTROL_APPLICATION, is_auth_application=True, request_handler=self.handle
        )
        # Requests to us are found by our own realm.
        self.node.add_application(self.app, [peer], realms=["peer.example"])
        self.node.start()
        self.app.wait_for_ready(10)

    def handle(self, app, message):
        """The server asks: report now. Agree."""
        answer = app.generate_answer(message, E_RESULT_CODE_DIAMETER_SUCCESS)
        if isinstance(answer, ReAuthAnswer):
            self.asked.set()
        return answer

    def request(self, session, kind, number, subscriber, context="32251@3gpp.org", **fields):
        ccr = CreditControlRequest()
        ccr.session_id = session
        ccr.origin_host = self.node.origin_host.encode()
        ccr.origin_realm = self.node.realm_name.encode()
        ccr.destination_realm = self.realm.encode()
        ccr.auth_application_id = APP_DIAMETER_CREDIT_CONTROL_APPLICATION
        ccr.service_context_id = context
        ccr.cc_request_type = kind
        ccr.cc_request_number = number
        ccr.subscription_id = [SubscriptionId(subscription_id_type=subscriber[0], subscription_id_data=subscriber[1])]
        for name, value in fields.items():
            setattr(ccr, name, value)
        return ccr

    def send(self, ccr):
        return self.app.send_request(ccr, timeout=10)


def told(cca):
    services = [
        {
            "group": service.rating_group,
            "result": service.result_code,
            "granted": getattr(service.granted_service_unit, "cc_total_octets", None),
            "validity": service.validity_time,
            "final": getattr(service.final_unit_indication, "final_unit_action", None),
        }
        for service in cca.multiple_services_credit_control or []
    ]
    return {
        "result": cca.result_code,
        "session": cca.session_id,
        "type": cca.cc_request_type,
        "number": cca.cc_request_number,
        "services": services,
        "seconds": getattr(cca.granted_service_unit, "cc_time", None) if cca.granted_service_unit else None,
        "enough": None if cca.check_balance_result is None else cca.check_balance_result == 0,
        "cost": cca.cost_information.unit_value.value_digits if cca.cost_information else None,
    }


def main(host, port, server_host, server_realm, msisdn, imsi):
    client = Client(host, int(port), server_host, server_realm)
    by_number, by_sim = (END_USER_E164, msisdn), (END_USER_IMSI, imsi)
    seen = {}

    def ask(name, *arguments, **fields):
        seen[name] = told(client.send(client.request(*arguments, **fields)))

    data = "client.peer.example;1;data"
    both = [octets(asked=MEGABYTE, group=1), octets(asked=2 * MEGABYTE, group=2)]
    ask("initial", data, INITIAL, 0, by_number, multiple_services_indicator=1, multiple_services_credit_control=both)
    both = [octets(MEGABYTE, MEGABYTE, 1), octets(MEGABYTE, MEGABYTE, 2)]
    ask("update", data, UPDATE, 1, by_number, multiple_services_credit_control=both)
    both = [octets(MEGABYTE, group=1), octets(0, group=2)]
    ask("termination", data, TERMINATION, 2, by_number, termination_cause=1, multiple_services_credit_control=both)
    ask("repeated", data, TERMINATION, 2, by_number, termination_cause=1, multiple_services_credit_control=both)

    sim = "client.peer.example;1;sim"
    one = [octets(asked=MEGABYTE, group=1)]
    ask("by_sim", sim, INITIAL, 0, by_sim, multiple_services_credit_control=one)
    ask("by_sim_end", sim, TERMINATION, 1, by_sim, multiple_services_credit_control=[octets(0, group=1)])

    units = {"requested_service_unit": RequestedServiceUnit(cc_service_specific_units=1)}
    sms = "32274@3gpp.org"
    event = "client.peer.example;1;event"
    ask("price", event + "1", EVENT, 0, by_number, sms, requested_action=PRICE_ENQUIRY, **units)
    ask("check", event + "2", EVENT, 0, by_number, sms, requested_action=CHECK_BALANCE, **units)
    ask("debit", event + "3", EVENT, 0, by_number, sms, requested_action=DIRECT_DEBITING, **units)

    call = "client.peer.example;1;call"
    voice = "32260@3gpp.org"
    minute = RequestedServiceUnit(cc_time=60)
    ask("call", call, INITIAL, 0, by_number, voice, requested_service_unit=minute)
    ask("call_end", call, TERMINATION, 1, by_number, voice, used_service_unit=[UsedServiceUnit(cc_time=30)])

    waits = "client.peer.example;1;reauth"
    ask("reauth", waits, INITIAL, 0, by_number, multiple_services_credit_control=one)
    print("OPEN", flush=True)
    seen["asked_to_report"] = client.asked.wait(30)
    ask("reauth_end", waits, TERMINATION, 1, by_number, multiple_services_credit_control=[octets(0, group=1)])

    stranger = (END_USER_E164, "923009999999")
    ask("stranger", "client.peer.example;1;stranger", INITIAL, 0, stranger, multiple_services_credit_control=one)
    client.node.stop(wait_timeout=2)
    print(json.dumps(seen), flush=True)


main(*sys.argv[1:])
