using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Threading.Channels;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.EpCscf.Tests;

/// <summary>A message as it came, read without the server's own parser.</summary>
internal sealed class Received(string text)
{
    private readonly string[] _lines = text.Split("\r\n\r\n", 2)[0].Split("\r\n");

    public string Text { get; } = text;

    public string StartLine => _lines[0];

    public string Body { get; } = text.Split("\r\n\r\n", 2)[^1];

    public string this[string name] => All(name).FirstOrDefault() ?? throw new KeyNotFoundException($"No {name} in:\n{Text}");

    public string[] All(string name) =>
        [.. _lines.Skip(1).Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase)).Select(line =>
            line[(name.Length + 1)..].Trim())];

    public bool Has(string name) => All(name).Length > 0;

    public override string ToString() => Text;
}

/// <summary>
/// A page, or what pretends to be one: a WebSocket client that writes SIP as JsSIP does, and can write what JsSIP never would.
/// </summary>
internal sealed class Wic : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly EpCscfApp _app;
    private readonly Channel<Received> _received = Channel.CreateUnbounded<Received>();
    private readonly Queue<Received> _before = new();
    private readonly Task _receiving;
    private int _cseq;

    private Wic(EpCscfApp app, ClientWebSocket socket, string user, string? instance)
    {
        _app = app;
        Socket = socket;
        User = user;
        Impu = $"sip:{user}@{EpCscfApp.Domain}";
        Instance = instance ?? $"urn:uuid:{Guid.NewGuid()}";
        Host = $"{Random(12)}.invalid";
        Contact = $"sip:{Random(8)}@{Host};transport=ws";
        _receiving = ReceiveAllAsync();
    }

    public ClientWebSocket Socket { get; }

    public string User { get; }

    public string Impu { get; }

    public string Instance { get; init; }

    public string Host { get; private set; }

    public string Contact { get; private set; }

    public string? Token { get; private set; }

    /// <summary>Header fields that go into each request, such as Authorization.</summary>
    public string Extra { get; set; } = "";

    public Task Closed => _receiving;

    public static async Task<Wic> ConnectAsync(
        EpCscfApp app, string user, string? instance = null, Action<ClientWebSocketOptions>? options = null)
    {
        var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("sip");
        options?.Invoke(socket.Options);
        var address = new UriBuilder(app.Address) { Scheme = "ws", Path = "/sip" };
        await socket.ConnectAsync(address.Uri, TestContext.Current.CancellationToken);
        return new Wic(app, socket, user, instance);
    }

    /// <summary>The same page over a new connection, to another server where given: same instance, same Contact.</summary>
    public async Task<Wic> ReconnectAsync(EpCscfApp? app = null, Action<ClientWebSocketOptions>? options = null)
    {
        var again = await ConnectAsync(app ?? _app, User, Instance, options);
        (again.Host, again.Contact, again._cseq) = (Host, Contact, _cseq);
        return again;
    }

    public static string Random(int length) => System.Security.Cryptography.RandomNumberGenerator.GetHexString(length, lowercase: true);

    public async Task<Received> RegisterAsync(string? token, int expires = 600, string? extra = null, string? contact = null)
    {
        Token = token;
        var authorization = token is null ? "" : $"Authorization: Bearer access_token=\"{token}\"\r\n";
        await SendAsync(Request(
            "REGISTER", $"sip:{EpCscfApp.Domain}", Impu,
            $"Contact: {contact ?? $"<{Contact}>;+sip.ice;reg-id=1;+sip.instance=\"<{Instance}>\";expires={expires}"}\r\n" +
            $"Expires: {expires}\r\nSupported: path,gruu,outbound\r\n{authorization}{extra}",
            callId: $"reg-{Instance}"));
        return await NextAnswerAsync();
    }

    /// <summary>A request outside of a dialogue.</summary>
    public string Request(
        string method, string uri, string? to = null, string extra = "", string body = "", string? callId = null, string? from = null,
        string? branch = null,
        string fromTag = "a1", int? cseq = null, int maxForwards = 69, string? toTag = null)
    {
        var number = cseq ?? ++_cseq;
        var content = body.Length == 0 ? "" : "Content-Type: application/sdp\r\n";
        var fromValue = from ?? $"\"{User}\" <{Impu}>";
        return string.Create(CultureInfo.InvariantCulture,
            $"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WSS {Host};branch={branch ?? "z9hG4bK" + Random(8)}\r\nMax-Forwards: " +
            $"{maxForwards}\r\n" +
            $"To: <{to ?? uri}>{(toTag is null ? "" : $";tag={toTag}")}\r\nFrom: {fromValue};tag={fromTag}\r\nCall-ID: " +
            $"{callId ?? Random(16)}\r\n" +
            $"CSeq: {number} {method}\r\n{Extra}{extra}{content}Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");
    }

    public string Invite(
        string to, string extra = "", string? from = null, string? callId = null, string? branch = null, string? uri = null) => Request(
        "INVITE", uri ?? to, to, $"Contact: <{Contact};ob>\r\nSupported: ice,replaces,outbound\r\n{extra}",
        "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\n", callId, from, branch);

    /// <summary>The answer to a request, as a UAS makes it: Via, From, To, Call-ID, CSeq and Record-Route copied.</summary>
    public string Answer(Received request, int code, string reason, string tag = "b1", string extra = "", string body = "")
    {
        var copied = new StringBuilder();
        foreach (var name in (string[])["Record-Route", "Via"])
        {
            foreach (var value in request.All(name)) copied.Append(CultureInfo.InvariantCulture, $"{name}: {value}\r\n");
        }
        var to = request["To"];
        if (code > 100 && !to.Contains(";tag=", StringComparison.Ordinal)) to += $";tag={tag}";
        var contact = code is > 100 and < 300 ? $"Contact: <{Contact};ob>\r\n" : "";
        return string.Create(CultureInfo.InvariantCulture,
            $"SIP/2.0 {code} {reason}\r\n{copied}To: {to}\r\nFrom: {request["From"]}\r\nCall-ID: {request["Call-ID"]}\r\n" +
            $"CSeq: {request["CSeq"]}\r\n{contact}{extra}Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");
    }

    public Task AnswerAsync(Received request, int code, string reason, string tag = "b1", string extra = "", string body = "") =>
        SendAsync(Answer(request, code, reason, tag, extra, body));

    /// <summary>
    /// A request in the dialogue that this page began with <paramref name="ok"/>, or took with <paramref name="invite"/>.
    /// </summary>
    public string InDialog(string method, Received? ok = null, Received? invite = null, string extra = "", int? cseq = null)
    {
        var message = ok ?? invite!;
        var (local, remote) = ok is not null ? (message["From"], message["To"]) : (message["To"], message["From"]);
        if (invite is not null) local += ";tag=b1";
        var target = message["Contact"];
        target = target[(target.IndexOf('<', StringComparison.Ordinal) + 1)..target.IndexOf('>', StringComparison.Ordinal)];
        var number = cseq ?? (method == "ACK" ? int.Parse(message["CSeq"].Split(' ')[0], CultureInfo.InvariantCulture) : ++_cseq);
        var routes = string.Concat(message.All("Record-Route").Select(route => $"Route: {route}\r\n"));
        return string.Create(CultureInfo.InvariantCulture,
            $"{method} {target} SIP/2.0\r\nVia: SIP/2.0/WSS {Host};branch=z9hG4bK{Random(8)}\r\nMax-Forwards: 69\r\n{routes}" +
            $"To: {remote}\r\nFrom: {local}\r\nCall-ID: {message["Call-ID"]}\r\nCSeq: {number} " +
            $"{method}\r\n{Extra}{extra}Content-Length: 0\r\n\r\n");
    }

    /// <summary>The ACK or CANCEL that belongs to an INVITE of ours: same branch.</summary>
    public static string Following(string invite, string method, string? to = null)
    {
        var request = new Received(invite);
        var uri = request.StartLine.Split(' ')[1];
        return $"{method} {uri} SIP/2.0\r\nVia: {request["Via"]}\r\nMax-Forwards: 69\r\n" +
            $"To: {to ?? request["To"]}\r\nFrom: {request["From"]}\r\n" +
            $"Call-ID: {request["Call-ID"]}\r\nCSeq: {request["CSeq"].Split(' ')[0]} {method}\r\nContent-Length: 0\r\n\r\n";
    }

    public Task SendAsync(string message) => SendAsync(Encoding.UTF8.GetBytes(message));

    public async Task SendAsync(byte[] octets, WebSocketMessageType type = WebSocketMessageType.Text)
    {
        try
        {
            await Socket.SendAsync(octets, type, endOfMessage: true, TestContext.Current.CancellationToken);
        }
        catch (WebSocketException error)
        {
            throw new WebSocketException($"{User} was disconnected: {Socket.CloseStatus} {Socket.CloseStatusDescription}", error);
        }
    }

    public async Task<Received> NextAsync() => _before.TryDequeue(out var earlier) ? earlier : await ReceivedAsync();

    /// <summary>
    /// The next answer. Requests that come before it stay for later calls: a request that waited for this page may come before the answer
    /// to its REGISTER.
    /// </summary>
    private async Task<Received> NextAnswerAsync()
    {
        while (true)
        {
            var message = await ReceivedAsync();
            if (message.StartLine.StartsWith("SIP/2.0", StringComparison.Ordinal)) return message;
            _before.Enqueue(message);
        }
    }

    private async Task<Received> ReceivedAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            return await _received.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"{User} got nothing");
        }
    }

    /// <summary>The next message, which must begin like this.</summary>
    public async Task<Received> ExpectAsync(string startOfLine)
    {
        var message = await NextAsync();
        Assert.StartsWith(startOfLine, message.StartLine);
        return message;
    }

    /// <summary>Sends, skips 100, and gives the next answer.</summary>
    public async Task<Received> AskAsync(string request)
    {
        await SendAsync(request);
        var message = await NextAsync();
        return message.StartLine.StartsWith("SIP/2.0 100", StringComparison.Ordinal) ? await NextAsync() : message;
    }

    /// <summary>
    /// The server has answered a later request of ours, so it has handled what we sent, and we have what it sent us before. What others
    /// sent may still be on its way: ask at their connection first.
    /// </summary>
    public async Task AssertNothingAsync()
    {
        await SendAsync(Request("OPTIONS", $"sip:{EpCscfApp.Domain}"));
        Assert.Contains("OPTIONS", (await ExpectAsync("SIP/2.0 200"))["CSeq"]);
    }

    /// <summary>Ends the connection as a lost network does.</summary>
    public void Abort() => Socket.Abort();

    /// <summary>The same, and the server has noticed.</summary>
    public async Task LoseConnectionAsync()
    {
        var flows = _app.Service<Connections.Flows>();
        var before = flows.Count;
        Abort();
        await Eventually.IsTrueAsync(() => flows.Count != before);
    }

    public async ValueTask DisposeAsync()
    {
        Socket.Abort();
        await _receiving;
        Socket.Dispose();
    }

    private async Task ReceiveAllAsync()
    {
        var buffer = new byte[200_000];
        var length = 0;
        try
        {
            while (true)
            {
                var part = await Socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close) break;
                length += part.Count;
                if (!part.EndOfMessage) continue;
                await _received.Writer.WriteAsync(new(Encoding.UTF8.GetString(buffer, 0, length)));
                length = 0;
            }
            await Socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "", CancellationToken.None);
        }
        catch (Exception error) when (
            error is WebSocketException or ObjectDisposedException or OperationCanceledException or IOException
                or InvalidOperationException)
        {
            // Over. An aborted socket is "not connected" to the next read.
        }
        _received.Writer.TryComplete(new WebSocketException($"{User} was disconnected"));
    }
}
