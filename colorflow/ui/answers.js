// Gradio 6.31 gives its stream of answers up at the server's word, even if that word was overtaken by
// the promise of one more: that answer is never read, and what was clicked seems to do nothing (1 of 912
// clicks on a busy machine). Here that word is left out: the stream goes on with what is promised next.
{
    const plain = window.fetch;
    const encoder = new TextEncoder();
    const promised = new Set();
    const early = new Set(); // came before their promise was read
    const asking = new Set();
    let promise = () => {};
    const read = (message) => {
        if (message.msg === "process_completed" && !promised.delete(message.event_id))
            early.add(message.event_id);
    };
    const ask = async (resource, options) => {
        const reply = await plain(resource, options);
        if (!reply.ok) return reply;
        const text = await reply.text();
        const id = JSON.parse(text).event_id;
        if (!early.delete(id)) promised.add(id);
        promise();
        return new Response(text, reply);
    };
    const join = (resource, options) => {
        const reply = ask(resource, options);
        asking.add(reply);
        const forget = () => asking.delete(reply);
        reply.then(forget, forget);
        return reply;
    };
    // An answer that comes before its promise was read would be shown after later ones.
    const promisesRead = async () => {
        if (!asking.size) return;
        await Promise.allSettled(asking);
        await new Promise((wake) => setTimeout(wake, 20)); // in which Gradio's script reads them
    };
    const parts = async (stream, found) => {
        const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
        let rest = "";
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
            const texts = (rest + part.value).split("\n\n");
            rest = texts.pop();
            await promisesRead();
            texts.forEach(found);
        }
    };
    let sink; // who reads now: who does not leave the page after all begins to read anew
    let headers = null; // of the stream, while it goes on
    const follow = async (first, request) => {
        for (let reply = first; ; reply = await plain(request.clone())) {
            if (!reply.ok) throw new Error(await reply.text());
            const before = [...promised];
            await parts(reply.body, (text) => {
                const message = JSON.parse(text.slice("data: ".length));
                read(message);
                if (message.msg !== "close_stream") sink.enqueue(encoder.encode(`${text}\n\n`));
            });
            before.forEach((id) => promised.delete(id)); // what has not come by now never will
            if (!promised.size) await new Promise((wake) => (promise = wake));
        }
    };
    const fail = (error) => {
        headers = null;
        sink.error(error);
    };
    window.fetch = async (resource, options) => {
        const path = new URL(resource.url ?? resource, location.href).pathname;
        if (path.endsWith("/queue/join")) return join(resource, options);
        if (!path.endsWith("/queue/data")) return plain(resource, options);
        const stream = new ReadableStream({ start: (own) => (sink = own) });
        if (!headers) {
            const request = new Request(resource, options);
            const first = await plain(request.clone());
            if (!first.ok) return first;
            headers = first.headers;
            follow(first, request).catch(fail);
        }
        return new Response(stream, { headers });
    };
}
