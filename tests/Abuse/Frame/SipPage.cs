using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Threading.Channels;

namespace WebRtcIms.Abuse.Frame;

/// <summary>A SIP message, read line by line.</summary>
internal sealed class SipMessage(string text)
{
    private readonly string[] _lines = text.Split("\r\n\r\n", 2)[0].Split("\r\n");

    public string StartLine => _lines[0];

    /// <summary>The status code; 0 for a request.</summary>
    public int Code =>
        StartLine.StartsWith("SIP/2.0 ", StringComparison.Ordinal) ? int.Parse(StartLine[8..11], CultureInfo.InvariantCulture) : 0;

    public string this[string name] => All(name).FirstOrDefault() ?? "";

    public string[] All(string name) =>
        [.. _lines.Skip(1).Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase))
            .Select(line => line[(name.Length + 1)..].Trim())];
}

/// <summary>A client that registers over a WebSocket and writes SIP that no page would write.</summary>
internal sealed class SipPage : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ClientWebSocket _socket = new();
    private readonly Channel<SipMessage> _received = Channel.CreateUnbounded<SipMessage>();
    private readonly string _host = $"{Id()}.invalid";
    private int _cseq;

    private SipPage(string user)
    {
        User = user;
        Impu = $"sip:{user}@{OwnSystem.Domain}";
        Contact = $"sip:{Id()}@{_host};transport=ws";
    }

    public string User { get; }

    public string Impu { get; }

    public string Contact { get; }

    /// <summary>Whether the server has not closed the connection.</summary>
    public bool IsOpen => !_received.Reader.Completion.IsCompleted;

    public static string Id() => RandomNumberGenerator.GetHexString(12, lowercase: true);

    public static async Task<SipPage> ConnectAsync(Uri server, string user, params (string Name, string Value)[] headers)
    {
        var page = new SipPage(user);
        page._socket.Options.AddSubProtocol("sip");
        foreach (var (name, value) in headers) page._socket.Options.SetRequestHeader(name, value);
        using var limit = new CancellationTokenSource(Patience);
        await page._socket.ConnectAsync(new UriBuilder(server) { Scheme = "ws", Path = "/sip" }.Uri, limit.Token);
        _ = page.ReceiveAsync();
        return page;
    }

    /// <summary>A registered user or guest of a session.</summary>
    public static async Task<SipPage> RegisterAsync(Uri server, Page session)
    {
        var token = (await session.PostAsync("/api/ims-token")).Json;
        var user = token.GetProperty("impu").GetString()!.Split(':', '@')[1];
        var page = await ConnectAsync(server, user);
        var answer = await page.RegisterAsync(token.GetProperty("access_token").GetString()!);
        return answer.Code == 200 ? page : throw new InvalidDataException($"REGISTER: {answer.StartLine}");
    }

    public Task<SipMessage> RegisterAsync(string token) => AskAsync(Request(
        "REGISTER", $"sip:{OwnSystem.Domain}", Impu,
        $"Contact: <{Contact}>;reg-id=1;+sip.instance=\"<urn:uuid:{Guid.NewGuid()}>\";expires=600\r\n"
        + $"Supported: path,outbound\r\nAuthorization: Bearer access_token=\"{token}\"\r\n"));

    public string Request(
        string method, string uri, string to, string extra = "", string? from = null, string? callId = null, string toTag = "") =>
        string.Create(CultureInfo.InvariantCulture,
            $"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/WSS {_host};branch=z9hG4bK{Id()}\r\nMax-Forwards: 69\r\nTo: <{to}>{toTag}\r\n"
            + $"From: {from ?? $"<{Impu}>"};tag=1\r\nCall-ID: {callId ?? Id()}\r\nCSeq: {++_cseq} {method}\r\n{extra}"
            + $"Content-Length: 0\r\n\r\n");

    public Task AnswerAsync(SipMessage request, int code, string reason)
    {
        var copied = string.Concat(((string[])["Record-Route", "Via"]).SelectMany(name =>
            request.All(name).Select(value => $"{name}: {value}\r\n")));
        return SendAsync(string.Create(CultureInfo.InvariantCulture,
            $"SIP/2.0 {code} {reason}\r\n{copied}To: {request["To"]};tag=at\r\nFrom: {request["From"]}\r\n"
            + $"Call-ID: {request["Call-ID"]}\r\nCSeq: {request["CSeq"]}\r\nContact: <{Contact}>\r\nContent-Length: 0\r\n\r\n"));
    }

    public async Task SendAsync(string message)
    {
        using var limit = new CancellationTokenSource(Patience);
        await _socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, endOfMessage: true, limit.Token);
    }

    /// <summary>Sends a request and returns the first answer to it after 100.</summary>
    public async Task<SipMessage> AskAsync(string request)
    {
        await SendAsync(request);
        var sent = new SipMessage(request);
        return await NextAsync(message => message.Code > 100 && message["CSeq"] == sent["CSeq"] && message["Call-ID"] == sent["Call-ID"])
            ?? throw new InvalidDataException($"{User} got no answer to {sent.StartLine}");
    }

    /// <summary>The next message of a kind; null when none comes in time.</summary>
    public async Task<SipMessage?> NextAsync(Func<SipMessage, bool> isWanted, TimeSpan? limit = null)
    {
        using var patience = new CancellationTokenSource(limit ?? Patience);
        try
        {
            while (true)
            {
                var message = await _received.Reader.ReadAsync(patience.Token);
                if (isWanted(message)) return message;
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ChannelClosedException)
        {
            return null;
        }
    }

    public void Dispose()
    {
        _socket.Abort();
        _socket.Dispose();
    }

    private async Task ReceiveAsync()
    {
        var buffer = new byte[128 * 1024];
        var length = 0;
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close) break;
                length += part.Count;
                if (!part.EndOfMessage) continue;
                _received.Writer.TryWrite(new(Encoding.UTF8.GetString(buffer, 0, length)));
                length = 0;
            }
        }
        catch (Exception error) when (
            error is WebSocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            // The connection is over.
        }

        _received.Writer.TryComplete();
    }
}
