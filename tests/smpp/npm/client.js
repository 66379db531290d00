// A client of the npm package smpp: binds, submits COUNT texts with at most WINDOW unanswered, and
// prints what that cost. node client.js PORT WINDOW COUNT
'use strict';
const smpp = require('smpp');
const [port, window, count] = process.argv.slice(2).map(Number);

const session = smpp.connect({ host: '127.0.0.1', port }, () => {
  session.bind_transceiver({ system_id: 'ringtrue', password: 'secret' }, (bound) => {
    if (bound.command_status !== 0) throw new Error('bind refused: ' + bound.command_status);
    const cpu = process.cpuUsage();
    const began = process.hrtime.bigint();
    let sent = 0;
    let answered = 0;
    const submit = () => {
      sent += 1;
      session.submit_sm({
        source_addr_ton: 5,
        source_addr: 'Ringtrue',
        dest_addr_ton: 1,
        dest_addr_npi: 1,
        destination_addr: '447700900123',
        registered_delivery: 1,
        data_coding: 0,
        short_message: Buffer.from('Your sign-in code is 123456. Do not share it.'),
      }, (response) => {
        if (response.command_status !== 0) throw new Error('refused: ' + response.command_status);
        answered += 1;
        if (sent < count) {
          submit();
        } else if (answered === count) {
          const used = process.cpuUsage(cpu);
          const wall = Number(process.hrtime.bigint() - began) / 1e9;
          console.log(JSON.stringify({ cpu: (used.user + used.system) / 1e6, wall }));
          session.destroy();
        }
      });
    };
    for (let i = 0; i < Math.min(window, count); i += 1) submit();
  });
});
session.on('error', (error) => { console.error(error); process.exit(1); });
