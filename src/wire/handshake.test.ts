import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { Handshake, HandshakeError, type HandshakeErrorCode, type HandshakeOptions } from './handshake.ts';

const KEY = new Uint8Array(32).fill(7);
const OTHER_KEY = new Uint8Array(32).fill(8);

function client(options: Partial<HandshakeOptions> = {}): Handshake {
  return new Handshake({ role: 'client', purpose: 'control', name: 'home', key: KEY, ...options });
}

function server(options: Partial<HandshakeOptions> = {}): Handshake {
  return new Handshake({ role: 'server', purpose: 'control', name: 'n2', key: KEY, ...options });
}

function failureOf(action: () => unknown): HandshakeError {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof HandshakeError, String(error));
    return error;
  }
  return assert.fail('nothing was thrown');
}

/** The whole conversation as each side sent it, for replaying parts of it. */
function converse(a: Handshake, b: Handshake): { fromClient: Uint8Array[]; fromServer: Uint8Array[] } {
  const hello = a.start();
  const answer = b.feed(hello).send;
  const proof = a.feed(answer).send;
  const last = b.feed(proof).send;
  a.feed(last);
  return { fromClient: [hello, proof], fromServer: [answer, last] };
}

test('Handshake lets both sides know each other when both hold the key', () => {
  const [a, b] = [client(), server()];
  assert.equal(b.start().length, 0);
  assert.equal(b.peer, undefined);
  converse(a, b);
  assert.deepEqual(a.peer, { name: 'n2', purpose: 'control', version: 1 });
  assert.deepEqual(b.peer, { name: 'home', purpose: 'control', version: 1 });
});

test('Handshake knows no peer before its proof when the hello alone has come', () => {
  const [a, b] = [client(), server()];
  b.feed(a.start());
  assert.equal(b.peer, undefined);
});

test('Handshake hands on what follows when it comes in one piece with the last proof', () => {
  const [a, b] = [client(), server()];
  const proof = a.feed(b.feed(a.start()).send).send;
  const more = new Uint8Array(5000).fill(1);
  const atServer = b.feed(Buffer.concat([proof, more]));
  assert.ok(atServer.done);
  assert.deepEqual(new Uint8Array(atServer.rest), more);
  const atClient = a.feed(Buffer.concat([atServer.send, more]));
  assert.ok(atClient.done);
  assert.deepEqual(new Uint8Array(atClient.rest), more);
  assert.equal(a.feed(more).rest, more);
});

test('Handshake succeeds when every byte comes alone', () => {
  const [a, b] = [client(), server()];
  const feedEach = (to: Handshake, bytes: Uint8Array): Uint8Array =>
    Buffer.concat(Array.from(bytes, (byte) => to.feed(Uint8Array.of(byte)).send));
  const last = feedEach(b, feedEach(a, feedEach(b, a.start())));
  feedEach(a, last);
  assert.equal(a.peer?.name, 'n2');
  assert.equal(b.peer?.name, 'home');
});

test('Handshake tells both sides that the key is wrong when the client has another one', () => {
  const [a, b] = [client({ key: OTHER_KEY }), server()];
  const proof = a.feed(b.feed(a.start()).send).send;
  const atServer = failureOf(() => b.feed(proof));
  assert.equal(atServer.code, 'not-authenticated');
  assert.match(atServer.message, /"home" does not hold this cluster's key/);
  assert.equal(atServer.reply.length, 1);
  const atClient = failureOf(() => a.feed(atServer.reply));
  assert.equal(atClient.code, 'not-authenticated');
  assert.equal(atClient.reply.length, 0);
});

test('Handshake refuses a server that lets anybody in when that server lacks the key', () => {
  const a = client();
  a.feed(server().feed(a.start()).send);
  assert.equal(
    failureOf(() => a.feed(Buffer.concat([Buffer.from('P'), new Uint8Array(32)]))).code,
    'not-authenticated',
  );
});

test('Handshake tells both sides that the version is wrong when it differs', () => {
  const atServer = failureOf(() => server({ version: 3 }).feed(client().start()));
  assert.equal(atServer.code, 'version-mismatch');
  assert.match(atServer.message, /version 1, this node speaks 3/);
  const a = client();
  a.start();
  const atClient = failureOf(() => a.feed(atServer.reply));
  assert.equal(atClient.code, 'version-mismatch');
  assert.match(atClient.message, /this node's 1/);
});

test('Handshake names the wrong version when only that much of a hello has come', () => {
  assert.equal(failureOf(() => server({ version: 9 }).feed(client().start().subarray(0, 6))).code, 'version-mismatch');
});

test('Handshake refuses garbage at its first wrong byte', () => {
  for (const garbage of ['G', 'MOZ', 'GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01', '\0']) {
    const error = failureOf(() => server().feed(Buffer.from(garbage, 'latin1')));
    assert.equal(error.code, 'malformed', garbage);
    assert.equal(error.reply.length, 1);
  }
});

test('Handshake refuses a hello when its purpose, role or name is not acceptable', () => {
  assert.match(failureOf(() => server({ purpose: 'guest' }).feed(client().start())).message, /not for guest/);
  assert.match(failureOf(() => client().feed(client().start())).message, /a client, too/);
  const badName = Buffer.from(client().start());
  badName.write('\n', badName.length - 1);
  assert.match(failureOf(() => server().feed(badName)).message, /characters/);
  const noName = Buffer.from(client().start());
  noName[40] = 0;
  assert.match(failureOf(() => server().feed(noName)).message, /0 bytes/);
  noName[40] = 255;
  assert.match(failureOf(() => server().feed(noName)).message, /255 bytes/);
  const badRole = Buffer.from(client().start());
  badRole[6] = 0;
  assert.equal(failureOf(() => server().feed(badRole)).code, 'malformed');
});

test('Handshake is undone and waits when the conversation is cut anywhere', () => {
  const { fromClient } = converse(client(), server());
  const hello = fromClient[0];
  for (let length = 0; length < hello.length; length += 1) {
    const b = server();
    assert.deepEqual(b.feed(hello.subarray(0, length)), {
      send: Buffer.alloc(0),
      done: false,
      rest: new Uint8Array(0),
    });
    assert.equal(b.peer, undefined);
  }
});

test('Handshake refuses a conversation that is played again', () => {
  const recorded = converse(client(), server());
  const b = server();
  b.feed(recorded.fromClient[0]);
  assert.equal(failureOf(() => b.feed(recorded.fromClient[1])).code, 'not-authenticated');
  const a = client();
  a.feed(recorded.fromServer[0]);
  assert.equal(failureOf(() => a.feed(recorded.fromServer[1])).code, 'not-authenticated');
});

test('Handshake refuses its own proof when it is reflected', () => {
  const a = client();
  const proof = a.feed(server().feed(a.start()).send).send;
  assert.equal(failureOf(() => a.feed(proof)).code, 'not-authenticated');
});

test('Handshake has decided after 138 bytes when a stranger sends the longest possible messages', () => {
  const b = server();
  const bytes = Buffer.concat([client({ name: 'x'.repeat(64) }).start(), Buffer.from('P'), new Uint8Array(100_000)]);
  let fed = 0;
  assert.equal(
    failureOf(() => {
      for (; ; fed += 1) b.feed(bytes.subarray(fed, fed + 1));
    }).code,
    'not-authenticated',
  );
  assert.equal(fed + 1, 138);
});

test('Handshake stays refused when more bytes come after a failure', () => {
  const b = server();
  const first = failureOf(() => b.feed(Buffer.from('garbage')));
  assert.equal(
    failureOf(() => b.feed(client().start())),
    first,
  );
});

test('Handshake refuses to be made with a key or a name that cannot be used', () => {
  assert.throws(() => client({ key: new Uint8Array(31) }), /31 bytes instead of 32/);
  for (const name of ['', 'a b', '-x', 'x'.repeat(65), 'ä']) assert.throws(() => client({ name }), RangeError, name);
  assert.doesNotThrow(() => client({ name: 'node-1.rack_2' }));
});

test('Handshake maps every refusal byte to its own code', () => {
  const codes: HandshakeErrorCode[] = [0xe1, 0xe2, 0xe3].map(
    (byte) => failureOf(() => client().feed(Uint8Array.of(byte))).code,
  );
  assert.deepEqual(codes, ['not-authenticated', 'version-mismatch', 'malformed']);
});

test('Handshake never lets a stranger in when bytes of a good conversation are changed, cut or mixed', () => {
  fc.assert(
    fc.property(
      fc.nat(1),
      fc.nat(200),
      fc.integer({ min: 1, max: 255 }),
      fc.array(fc.nat(60)),
      (side, place, change, sizes) => {
        const [a, b] = [client(), server()];
        const hello = Buffer.from(a.start());
        if (side === 0 && place < hello.length) hello[place] ^= change;
        try {
          const proof = Buffer.from(a.feed(b.feed(hello).send).send);
          if (side === 1) proof[place % proof.length] ^= change;
          for (let at = 0; at < proof.length;) {
            const size = sizes.pop() ?? proof.length;
            b.feed(proof.subarray(at, at + size));
            at += size;
          }
          const changed = side === 1 || place < hello.length;
          assert.equal(b.peer === undefined, changed, 'a changed conversation was accepted, or a good one was not');
        } catch (error) {
          assert.ok(error instanceof HandshakeError, String(error));
          assert.equal(b.peer, undefined);
        }
      },
    ),
  );
});

test('Handshake throws nothing but HandshakeError when fed with arbitrary bytes', () => {
  fc.assert(
    fc.property(fc.constantFrom('client', 'server'), fc.array(fc.uint8Array({ maxLength: 300 })), (role, pieces) => {
      const handshake = role === 'client' ? client() : server();
      try {
        for (const piece of pieces) assert.equal(handshake.feed(piece).done, false);
      } catch (error) {
        assert.ok(error instanceof HandshakeError, String(error));
      }
      assert.equal(handshake.peer, undefined);
    }),
  );
});
