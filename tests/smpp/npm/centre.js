// A message centre of the npm package smpp. Prints its port, then one line of JSON for each thing
// it sees. What it does is written in the destination's last digit and in the password:
//   ...1  refuses with ESME_RINVDSTADR
//   ...2  throttles each text once, and takes it when it comes again
//   ...3  takes the text and never answers
//   ...4  answers in reverse order, in pairs
//   ...5  sends the receipt before the answer
//   else  takes the text and sends a receipt
// A text that reads UNBIND makes it unbind, HANGUP hang up, and MO send a text of its own.
'use strict';
const smpp = require('smpp');

const say = (what) => console.log(JSON.stringify(what));
let next = 1000;
const throttled = new Set();
const pairs = [];

const octets = (message) => {
  if (Buffer.isBuffer(message)) return message;
  const text = message && message.message !== undefined ? message.message : message;
  return Buffer.isBuffer(text) ? text : Buffer.from(String(text === undefined ? '' : text), 'utf8');
};

const server = smpp.createServer((session) => {
  session.on('error', () => {});
  const bind = (pdu) => {
    if (pdu.password !== 'secret') {
      session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
      session.close();
      return;
    }
    say({ bind: pdu.command, system_id: pdu.system_id, version: pdu.interface_version });
    session.send(pdu.response({ system_id: 'npm-smpp', sc_interface_version: 0x34 }));
  };
  session.on('bind_transceiver', bind);
  session.on('bind_transmitter', bind);
  session.on('bind_receiver', bind);
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('deliver_sm_resp', (pdu) => say({ delivered: pdu.command_status }));
  session.on('unbind', (pdu) => {
    say({ unbind: true });
    session.send(pdu.response());
    session.close();
  });
  const receipt = (pdu, id) => session.deliver_sm({
    source_addr: pdu.destination_addr,
    destination_addr: pdu.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message: 'id:' + id.toUpperCase().padStart(10, '0') +
      ' sub:001 dlvrd:001 submit date:2411242230 done date:2411242231 stat:DELIVRD err:000 text:',
    receipted_message_id: id,
    message_state: 2,
  });
  session.on('submit_sm', (pdu) => {
    const message = octets(pdu.message_payload !== undefined ? pdu.message_payload : pdu.short_message);
    const udh = pdu.short_message && pdu.short_message.udh
      ? Buffer.concat(pdu.short_message.udh.map((e) => (Buffer.isBuffer(e) ? e : Buffer.alloc(0)))).length
      : 0;
    say({
      to: pdu.destination_addr,
      from: pdu.source_addr,
      ton: pdu.source_addr_ton,
      esm_class: pdu.esm_class,
      data_coding: pdu.data_coding,
      validity: String(pdu.validity_period || ''),
      registered: pdu.registered_delivery,
      text: message.toString('utf8'),
      udh,
      sar: [pdu.sar_msg_ref_num, pdu.sar_total_segments, pdu.sar_segment_seqnum],
    });
    if (message.toString() === 'HANGUP') { session.destroy(); return; }
    if (message.toString() === 'UNBIND') { session.unbind(); return; }
    const id = (next += 1).toString(16);
    const answer = () => session.send(pdu.response({ message_id: id }));
    switch (pdu.destination_addr.slice(-1)) {
      case '1':
        session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
        return;
      case '2': {
        const key = pdu.destination_addr;
        if (!throttled.has(key)) {
          throttled.add(key);
          session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
          return;
        }
        answer();
        receipt(pdu, id);
        return;
      }
      case '3':
        return;
      case '4':
        pairs.push(answer);
        if (pairs.length === 2) {
          pairs.reverse().forEach((late) => late());
          pairs.length = 0;
        }
        return;
      case '5':
        receipt(pdu, id);
        setTimeout(answer, 50);
        return;
      default:
        answer();
        receipt(pdu, id);
        if (message.toString() === 'MO') {
          session.deliver_sm({
            source_addr_ton: 1,
            source_addr_npi: 1,
            source_addr: pdu.destination_addr,
            destination_addr: pdu.source_addr,
            data_coding: 8,
            short_message: { message: 'СТОП' },
          });
        }
    }
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
