// A subscriber as people write them for Node. Its arguments are what it speaks and where; it prints what happens to it,
// a line for each thing, and does what it is told to on its standard input.
import http2 from "node:http2";
import readline from "node:readline";
import { EventSource } from "eventsource";
import WebSocket from "ws";

const [kind, url] = process.argv.slice(2);
const say = (...words) => console.log(words.join(" "));
const commands = readline.createInterface({ input: process.stdin });

const clients = {
  ws() {
    const socket = new WebSocket(url);
    socket.on("open", () => say("open", socket.extensions || "plain"));
    socket.on("message", (data, binary) => say(binary ? "binary" : "text", data.length, String(data).slice(0, 40)));
    socket.on("ping", () => say("ping"));
    socket.on("pong", (data) => say("pong", data));
    socket.on("close", (code, reason) => say("close", code, reason));
    socket.on("error", (error) => say("error", error.message));
    commands.on("line", (line) => {
      const [word, rest] = [line.split(" ", 1)[0], line.slice(line.indexOf(" ") + 1)];
      if (word === "text") socket.send(rest);
      if (word === "binary") socket.send(Buffer.alloc(Number(rest), 7));
      if (word === "parts") rest.split(" ").forEach((part, i, all) => socket.send(part, { fin: i === all.length - 1 }));
      if (word === "ping") socket.ping(rest);
      if (word === "close") socket.close(Number(rest), "as told");
    });
  },

  eventsource() {
    const source = new EventSource(url);
    source.onopen = () => say("open");
    source.onmessage = (e) => say("message", e.lastEventId, JSON.stringify(e.data));
    for (const name of ["news", "goaway", "push-key"]) source.addEventListener(name, (e) => say(name, e.data));
    source.onerror = (e) => say("error", e.code ?? "", source.readyState);
    commands.on("line", () => source.close());
  },

  http2() {
    const session = http2.connect(url);
    session.on("goaway", (code) => say("goaway", code));
    session.on("close", () => say("closed"));
    session.on("error", (error) => say("error", error.message));
    const streams = {};
    commands.on("line", (line) => {
      const [word, path, ...rest] = line.split(" ");
      if (word === "hold") {
        const stream = (streams[path] = session.request({ ":path": path, accept: "application/x-ndjson" }));
        stream.on("response", (head) => say("head", path, head[":status"]));
        stream.setEncoding("utf8");
        stream.on("data", (text) => say("data", path, text.trim()));
        stream.on("close", () => say("end", path, stream.rstCode));
      }
      if (word === "leave") streams[path].close(http2.constants.NGHTTP2_CANCEL);
      if (word === "push") {
        const stream = session.request({ ":method": "POST", ":path": path });
        stream.setEncoding("utf8");
        stream.on("data", (text) => say("verdict", text.trim()));
        stream.end(rest.join(" "));
      }
      if (word === "ping") session.ping((error) => say("pong", error ?? "well"));
      if (word === "close") session.close();
    });
  },
};

clients[kind]();
