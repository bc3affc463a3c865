"""A mail server made with aiosmtpd: STARTTLS and a sign-in are required; prints what it took.

usage: mail_server.py CERTIFICATE KEY USER PASSWORD
Prints the port, then one JSON object for each message: whether TLS was on, envelope, headers, decoded parts.
"""
import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Keeper:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}
        taken = {
            "tls": session.ssl is not None,
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "subject": str(message["Subject"]),
            "message_id": str(message["Message-ID"]),
            "unsubscribe": str(message["List-Unsubscribe"]),
            "one_click": str(message["List-Unsubscribe-Post"]),
            "defects": [str(defect) for defect in message.defects],
            "parts": parts,
        }
        print(json.dumps(taken), flush=True)
        return "250 2.0.0 taken"


def main():
    certificate, key, user, password = sys.argv[1:]

    def sign_in(server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=right, auth_data=data if right else None, handled=False)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    options = dict(
        hostname="mail.example", tls_context=context, require_starttls=True,
        authenticator=sign_in, auth_required=True, auth_require_tls=True,
    )

    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SMTP(Keeper(), **options), "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    asyncio.run(serve())


main()
