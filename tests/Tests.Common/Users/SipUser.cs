using System.Globalization;
using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Channels;

namespace WebRtcIms.Tests.Common.Users;

/// <summary>
/// A page as the eP-CSCF sees it. It registers over a WebSocket, calls, answers, and registers again over another connection when it has
/// lost the first.
/// </summary>
public sealed class SipUser(string name, IPAddress? from = null) : IDisposable
{
    private const string Domain = "webrtcims.local";

    private readonly string _host = $"{Random(12)}.invalid";
    private readonly string _instance = $"urn:uuid:{Guid.NewGuid()}";
    private readonly string _user = Random(8);
    private ClientWebSocket _socket = new();
    private Channel<SipText> _received = Channel.CreateUnbounded<SipText>();
    private string _token = "";
    private int _cseq;

    public string Impu => $"sip:{name}@{Domain}";

    /// <summary>How long a message may take to come.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Ends when the connection has ended.</summary>
    public Task Connection { get; private set; } = Task.CompletedTask;

    private string Contact => $"<sip:{_user}@{_host};transport=ws>";

    /// <summary>Registers over a new connection: for the core, the same page as before.</summary>
    /// <exception cref="WebSocketException">There is no connection.</exception>
    public async Task RegisterAsync(Uri server, string token) => RequireOk(await TryRegisterAsync(server, token));

    /// <summary>As <see cref="RegisterAsync"/>, with any answer.</summary>
    public async Task<SipText> TryRegisterAsync(Uri server, string token)
    {
        _socket.Dispose();
        (_socket, _received, _token) = (new ClientWebSocket(), Channel.CreateUnbounded<SipText>(), token);
        await ConnectAsync(_socket, server, from);
        Connection = ReceiveAsync(_socket, _received.Writer);
        return await SendRegisterAsync(expires: 600);
    }

    /// <summary>Registers again with another token over the same connection.</summary>
    public async Task RegisterAgainAsync(string token)
    {
        _token = token;
        RequireOk(await SendRegisterAsync(expires: 600));
    }

    /// <summary>Ends the registration, as a page does that closes. The connection stays.</summary>
    /// <param name="token">The last one if null.</param>
    public async Task UnregisterAsync(string? token = null)
    {
        _token = token ?? _token;
        RequireOk(await SendRegisterAsync(expires: 0));
    }

    /// <summary>Connects with the protocol of SIP.</summary>
    public static async Task ConnectAsync(ClientWebSocket socket, Uri server, IPAddress? from = null)
    {
        socket.Options.AddSubProtocol("sip");
        using var invoker = new HttpMessageInvoker(LocalAddress.HandlerFrom(from), disposeHandler: false);
        await socket.ConnectAsync(
            new UriBuilder(server) { Scheme = "ws", Path = "/sip" }.Uri, invoker, TestContext.Current.CancellationToken);
    }

    /// <summary>Calls another user, who accepts.</summary>
    /// <returns>The INVITE as the other user has it.</returns>
    public async Task<SipText> CallAsync(SipUser callee)
    {
        await SendAsync(
            $"INVITE {callee.Impu} SIP/2.0\r\n{Head(callee.Impu, Impu, "INVITE", Random(16))}Contact: {Contact}\r\n");
        var invite = await callee.ExpectAsync("INVITE ");
        await callee.AcceptAsync(invite);
        var ok = await ExpectAsync("SIP/2.0 200");
        await SendAsync(
            $"ACK {Target(ok)} SIP/2.0\r\nVia: SIP/2.0/WSS {_host};branch=z9hG4bK{Random(8)}\r\nMax-Forwards: 69\r\n{Route(ok)}"
            + $"{ok.Copy("To", "From", "Call-ID")}CSeq: {ok["CSeq"].Split(' ')[0]} ACK\r\n");
        await callee.ExpectAsync("ACK ");
        return invite;
    }

    /// <summary>Ends a call that this user accepted. The other user must hear of it.</summary>
    public async Task HangUpAsync(SipText invite, SipUser caller)
    {
        await SendAsync(
            $"BYE {Target(invite)} SIP/2.0\r\nVia: SIP/2.0/WSS {_host};branch=z9hG4bK{Random(8)}\r\nMax-Forwards: 69\r\n{Route(invite)}"
            + string.Create(CultureInfo.InvariantCulture,
                $"To: {invite["From"]}\r\nFrom: {invite["To"]};tag=b1\r\nCall-ID: {invite["Call-ID"]}\r\nCSeq: {++_cseq} BYE\r\n"));
        SipText bye;
        try
        {
            bye = await caller.ExpectAsync("BYE ");
        }
        catch (InvalidOperationException error)
        {
            throw new InvalidOperationException($"{error.Message}\n{name} got:\n{string.Join('\n', Received())}", error);
        }

        Assert.Equal(invite["Call-ID"], bye["Call-ID"]);
        await caller.SendAsync($"SIP/2.0 200 OK\r\n{bye.Copy("Via", "To", "From", "Call-ID", "CSeq")}");
        await ExpectAsync("SIP/2.0 200");
    }

    public void Dispose()
    {
        _socket.Abort();
        _socket.Dispose();
    }

    private void RequireOk(SipText answer)
    {
        if (!answer.StartLine.StartsWith("SIP/2.0 200", StringComparison.Ordinal))
            throw new InvalidOperationException($"REGISTER of {name} was not accepted, but:\n{answer}");
    }

    private async Task<SipText> SendRegisterAsync(int expires)
    {
        await SendAsync(
            $"REGISTER sip:{Domain} SIP/2.0\r\n{Head(Impu, Impu, "REGISTER", _instance)}"
            + $"Contact: {Contact};reg-id=1;+sip.instance=\"<{_instance}>\";expires={expires}\r\nSupported: path,outbound\r\n"
            + $"Authorization: Bearer access_token=\"{_token}\"\r\n");
        return await ExpectAsync("SIP/2.0 ");
    }

    private Task AcceptAsync(SipText invite) => SendAsync(
        $"SIP/2.0 200 OK\r\n{invite.Copy("Record-Route", "Via", "From", "Call-ID", "CSeq")}To: {invite["To"]};tag=b1\r\n"
        + $"Contact: {Contact}\r\n");

    private IEnumerable<SipText> Received()
    {
        while (_received.Reader.TryRead(out var message)) yield return message;
    }

    // Other messages are passed over: provisional answers, and what the core sends by itself.
    private async Task<SipText> ExpectAsync(string start)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        List<SipText> others = [];
        try
        {
            while (true)
            {
                var message = await _received.Reader.ReadAsync(limit.Token);
                if (message.StartLine.StartsWith(start, StringComparison.Ordinal)) return message;
                others.Add(message);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ChannelClosedException)
        {
            throw new InvalidOperationException($"{name} did not get '{start}', but:\n{string.Join('\n', others)}", error);
        }
    }

    private string Head(string to, string from, string method, string callId) => string.Create(CultureInfo.InvariantCulture,
        $"Via: SIP/2.0/WSS {_host};branch=z9hG4bK{Random(8)}\r\nMax-Forwards: 69\r\nTo: <{to}>\r\nFrom: <{from}>;tag=a1\r\n"
        + $"Call-ID: {callId}\r\nCSeq: {++_cseq} {method}\r\n");

    private static string Target(SipText message) => message["Contact"].Split('<', '>')[1];

    private static string Route(SipText message) =>
        string.Concat(message.All("Record-Route").Select(route => $"Route: {route}\r\n"));

    private async Task SendAsync(string head) => await _socket.SendAsync(
        Encoding.UTF8.GetBytes(head + "Content-Length: 0\r\n\r\n"), WebSocketMessageType.Text, endOfMessage: true,
        TestContext.Current.CancellationToken);

    private static string Random(int length) => RandomNumberGenerator.GetHexString(length, lowercase: true);

    private static async Task ReceiveAsync(ClientWebSocket socket, ChannelWriter<SipText> received)
    {
        var buffer = new byte[100_000];
        var length = 0;
        try
        {
            while (true)
            {
                var part = await socket.ReceiveAsync(buffer.AsMemory(length), CancellationToken.None);
                if (part.MessageType == WebSocketMessageType.Close) break;
                length += part.Count;
                if (!part.EndOfMessage) continue;
                received.TryWrite(new SipText(Encoding.UTF8.GetString(buffer, 0, length)));
                length = 0;
            }
        }
        catch (Exception error) when (
            error is WebSocketException or ObjectDisposedException or OperationCanceledException or IOException
                or InvalidOperationException)
        {
            // The connection is lost.
        }

        received.TryComplete();
    }
}
