"""A message centre of the Python packages smpp.twisted3 and smpp.pdu3, which read each PDU
strictly. Prints its port, then one line of JSON for each thing it sees. The destination's last
digit says what it does:
  ...1  refuses with ESME_RINVDSTADR
  ...2  throttles each text once, and takes it when it comes again
  ...3  answers after half a second
  else  takes the text and sends a receipt
A text that reads UNBIND makes it unbind, HANGUP hang up, and MO send a text of its own.
"""
import json
import logging
import sys

from smpp.pdu.operations import DeliverSM
from smpp.pdu.pdu_types import (AddrNpi, AddrTon, CommandStatus, DataCoding, DataCodingDefault,
                                EsmClass, EsmClassMode, EsmClassType, MessageState)
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse
from smpp.twisted.server import SMPPServerFactory
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet import reactor, task
from zope.interface import implementer


@implementer(IRealm)
class Realm:
    def requestAvatar(self, avatar_id, mind, *interfaces):
        return (interfaces[0], avatar_id, lambda: None)


def say(what):
    print(json.dumps(what), flush=True)


class Centre:
    def __init__(self):
        self.next = 255
        self.throttled = set()

    def receipt(self, smpp, params, number):
        text = ('sub:001 stat:%s id:%d dlvrd:000 err:027 submit date:241124223000 '
                'done date:241124223112' % ('UNDELIV', number))
        deliver = DeliverSM(
            source_addr=params['destination_addr'],
            destination_addr=params['source_addr'],
            esm_class=EsmClass(EsmClassMode.DEFAULT, EsmClassType.SMSC_DELIVERY_RECEIPT),
            short_message=text.encode(),
        )
        self.send(smpp, deliver)

    def send(self, smpp, deliver):
        sent = smpp.sendDataRequest(deliver)
        sent.addCallback(lambda result: say({'delivered': result.response.status.name}))
        sent.addErrback(lambda failure: say({'delivered': str(failure.value)}))

    def handle(self, system_id, smpp, pdu):
        if pdu.id.name != 'submit_sm':
            return CommandStatus.ESME_RINVCMDID
        params = pdu.params
        message = params.get('message_payload') or params['short_message'] or b''
        say({
            'to': params['destination_addr'].decode(),
            'from': params['source_addr'].decode(),
            'ton': params['source_addr_ton'].name,
            'coding': str(params['data_coding'].schemeData),
            'features': sorted(f.name for f in params['esm_class'].gsmFeatures),
            'validity': str(params['validity_period']),
            'receipt': params['registered_delivery'].receipt.name,
            'hex': message.hex(),
            'sar': [params.get('sar_msg_ref_num'), params.get('sar_total_segments'),
                    params.get('sar_segment_seqnum')],
        })
        if message == b'HANGUP':
            smpp.transport.abortConnection()
            return None
        if message == b'UNBIND':
            reactor.callLater(0, smpp.unbindAndDisconnect)
        last = params['destination_addr'][-1:]
        if last == b'1':
            return CommandStatus.ESME_RINVDSTADR
        if last == b'2' and params['destination_addr'] not in self.throttled:
            self.throttled.add(params['destination_addr'])
            return CommandStatus.ESME_RTHROTTLED
        self.next += 1
        number = self.next
        # The answer in hexadecimal, the receipt in decimal, as some do.
        answer = DataHandlerResponse(status=CommandStatus.ESME_ROK, message_id=b'%08X' % number)
        reactor.callLater(0.05, self.receipt, smpp, params, number)
        if message == b'MO':
            reactor.callLater(0.1, self.send, smpp, DeliverSM(
                source_addr_ton=AddrTon.INTERNATIONAL,
                source_addr_npi=AddrNpi.ISDN,
                source_addr=params['destination_addr'],
                destination_addr=params['source_addr'],
                data_coding=DataCoding(schemeData=DataCodingDefault.LATIN_1),
                short_message='ARRÊT'.encode('latin-1'),
            ))
        if last == b'3':
            return task.deferLater(reactor, 0.5, lambda: answer)
        return answer


def main():
    logging.disable(logging.ERROR)
    config = SMPPServerConfig(
        msgHandler=Centre().handle,
        systems={'ringtrue': {'max_bindings': 4}},
        enquireLinkTimerSecs=1,
        responseTimerSecs=5,
    )
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser('ringtrue', 'secret')
    portal = Portal(Realm())
    portal.registerChecker(checker)
    port = reactor.listenTCP(0, SMPPServerFactory(config, portal), interface='127.0.0.1')
    print(port.getHost().port, flush=True)
    reactor.run()


if __name__ == '__main__':
    sys.exit(main())
