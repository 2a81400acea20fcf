using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Threading.Channels;

namespace WebRtcIms.Sip.Load;

/// <summary>
/// Acts as a page: a WebSocket, one registration, and calls with the header fields and the body length of JsSIP. It sends one request
/// at a time. An unexpected message is an error.
/// </summary>
internal sealed class LoadWic(SipServerProcess server, int number) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private static readonly string Sdp = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n" + new string('a', 2200) + "\r\n";

    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _buffer = new byte[16 * 1024];
    private readonly string _user = string.Create(CultureInfo.InvariantCulture, $"u-{number}");
    private readonly string _host = string.Create(CultureInfo.InvariantCulture, $"wic{number}.invalid");
    private readonly Channel<string> _received = Channel.CreateUnbounded<string>();
    private string _token = "";
    private int _sequence;

    private string Impu => $"sip:{_user}@{SipServerProcess.Domain}";

    private string Contact => $"sip:{_user}@{_host};transport=ws";

    private static CancellationToken Limit => new CancellationTokenSource(Patience).Token;

    public async Task ConnectAsync()
    {
        _socket.Options.AddSubProtocol("sip");
        _socket.Options.KeepAliveInterval = TimeSpan.Zero;
        _token = server.Token(_user);
        await _socket.ConnectAsync(server.Address, Limit);
        _ = ReceiveAllAsync();
    }

    public async Task RegisterAsync()
    {
        var sequence = ++_sequence;
        await SendAsync(
            $"REGISTER sip:{SipServerProcess.Domain} SIP/2.0\r\nVia: SIP/2.0/WS " +
            $"{_host};branch=z9hG4bKr{number}x{sequence}\r\nMax-Forwards: 69\r\n" +
            $"To: <{Impu}>\r\nFrom: <{Impu}>;tag=f{number}\r\nCall-ID: reg-{number}\r\nCSeq: {sequence} REGISTER\r\n" +
            $"Authorization: Bearer access_token=\"{_token}\"\r\n" +
            $"Contact: <{Contact}>;+sip.ice;reg-id=1;+sip.instance=\"<urn:uuid:00000000-0000-0000-0000-{number:d12}>\";expires=600\r\n" +
            "Expires: 600\r\nAllow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\nSupported: path,gruu,outbound\r\nContent-Length: 0\r\n\r\n");
        await ExpectAsync("SIP/2.0 200");
    }

    /// <summary>Makes a call, and ends it after the answer.</summary>
    /// <returns>The time from INVITE to its 200.</returns>
    public async Task<TimeSpan> CallAsync(LoadWic callee)
    {
        var sequence = ++_sequence;
        var (callId, from) = ($"call-{number}-{sequence}", $"\"{_user}\" <{Impu}>;tag=c{sequence}");
        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        await SendAsync(
            $"INVITE {callee.Impu} SIP/2.0\r\nVia: SIP/2.0/WS {_host};branch=z9hG4bKi{number}x{sequence}\r\nMax-Forwards: 69\r\n" +
            $"To: <{callee.Impu}>\r\nFrom: {from}\r\nCall-ID: {callId}\r\nCSeq: {sequence} INVITE\r\n" +
            $"Authorization: Bearer access_token=\"{_token}\"\r\nContact: <{Contact};ob>\r\nContent-Type: application/sdp\r\n" +
            $"Allow: INVITE,ACK,CANCEL,BYE,UPDATE,MESSAGE,OPTIONS,REFER,INFO,NOTIFY\r\nSupported: " +
            $"ice,replaces,outbound\r\nContent-Length: {Sdp.Length}\r\n\r\n{Sdp}");
        var invite = await callee.ExpectAsync("INVITE");
        await callee.AnswerAsync(invite, "180 Ringing", "");
        await ExpectAsync("SIP/2.0 180");
        await callee.AnswerAsync(invite, "200 OK", Sdp);
        var ok = await ExpectAsync("SIP/2.0 200");
        var elapsed = System.Diagnostics.Stopwatch.GetElapsedTime(start);

        await SendAsync(InDialog("ACK", ok, from, callId, sequence));
        await callee.ExpectAsync("ACK");
        await SendAsync(InDialog("BYE", ok, from, callId, ++_sequence));
        await callee.AnswerAsync(await callee.ExpectAsync("BYE"), "200 OK", "");
        await ExpectAsync("SIP/2.0 200");
        return elapsed;
    }

    public void Dispose() => _socket.Dispose();

    private static IEnumerable<string> Lines(string message, string name) => message.Split("\r\n\r\n", 2)[0].Split("\r\n")
        .Where(line => line.StartsWith(name + ":", StringComparison.OrdinalIgnoreCase));

    private static string Value(string message, string name) => Lines(message, name).First()[(name.Length + 1)..].Trim();

    private string InDialog(string method, string ok, string from, string callId, int sequence)
    {
        var contact = Value(ok, "Contact");
        var target = contact[(contact.IndexOf('<', StringComparison.Ordinal) + 1)..contact.IndexOf('>', StringComparison.Ordinal)];
        var routes = string.Concat(Lines(ok, "Record-Route").Select(line => $"Route:{line["Record-Route:".Length..]}\r\n"));
        return $"{method} {target} SIP/2.0\r\nVia: SIP/2.0/WS {_host};branch=z9hG4bK{method}{number}x{sequence}\r\n" +
            $"Max-Forwards: 69\r\n{routes}To: {Value(ok, "To")}\r\nFrom: {from}\r\nCall-ID: {callId}\r\nCSeq: {sequence} {method}\r\n" +
            $"Authorization: Bearer access_token=\"{_token}\"\r\nSupported: outbound\r\nContent-Length: 0\r\n\r\n";
    }

    private Task AnswerAsync(string request, string status, string body)
    {
        var to = Value(request, "To");
        if (!to.Contains(";tag=", StringComparison.Ordinal)) to += $";tag=d{number}";
        var copied = string.Concat(Lines(request, "Record-Route").Concat(Lines(request, "Via")).Select(line => line + "\r\n"));
        var content = body.Length == 0 ? "" : "Content-Type: application/sdp\r\n";
        return SendAsync(
            $"SIP/2.0 {status}\r\n{copied}To: {to}\r\nFrom: {Value(request, "From")}\r\nCall-ID: {Value(request, "Call-ID")}\r\nCSeq: " +
            $"{Value(request, "CSeq")}\r\n" +
            $"Contact: <{Contact};ob>\r\nSupported: ice,replaces,outbound\r\n{content}Content-Length: {body.Length}\r\n\r\n{body}");
    }

    private Task SendAsync(string message) => _socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, true, Limit);

    /// <summary>The next message that is not a 100.</summary>
    private async Task<string> ExpectAsync(string start)
    {
        while (true)
        {
            var message = await NextAsync(start);
            if (message.StartsWith("SIP/2.0 100", StringComparison.Ordinal)) continue;
            if (!message.StartsWith(start, StringComparison.Ordinal))
                throw new InvalidOperationException($"{_user} expected {start} and got {message.Split("\r\n")[0]}");
            return message;
        }
    }

    private async Task<string> NextAsync(string expected)
    {
        try
        {
            return await _received.Reader.ReadAsync(Limit);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"{server.Name} did not send {expected} to {_user}");
        }
    }

    private async Task ReceiveAllAsync()
    {
        var length = 0;
        try
        {
            while (true)
            {
                var part = await _socket.ReceiveAsync(_buffer.AsMemory(length), CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close) break;
                length += part.Count;
                if (!part.EndOfMessage) continue;
                _received.Writer.TryWrite(Encoding.UTF8.GetString(_buffer, 0, length));
                length = 0;
            }
        }
        catch (Exception error) when (
            error is WebSocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            // The connection ended.
        }
        _received.Writer.TryComplete(new InvalidOperationException($"{_user} was disconnected"));
    }
}
