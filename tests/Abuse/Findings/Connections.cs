using System.Diagnostics;
using System.Security.Cryptography;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Abuse.Findings;

/// <summary>What a stranger may open and keep: S1, S2, S4 (event streams) and S31.</summary>
internal static class Connections
{
    // A share of one address that has proved nothing. The defaults of the product are smaller.
    private const int MostOfOneAddress = 500;

    // Longer than the minute that a stream may be useless, which the server notices up to ten seconds later.
    private static readonly TimeSpan TimeForStreams = TimeSpan.FromSeconds(80);

    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S1", async targets => Verdict.All(
            await UnregisteredSockets(targets), await AnotherAddress(targets), await UnfinishedRequests(targets))),
        new("S2", async targets => Verdict.All(
            await StreamsThatProveNothing(targets), await UnauthenticatedStreams(targets), await FewDescriptors(targets)))
        {
            IsSlow = true,
        },
        new("S31", SchemeOfTheOrigin),
    ];

    /// <summary>GET /sip of one address, and nothing more. Meanwhile a page registers.</summary>
    private static async Task<Verdict> UnregisteredSockets(Targets targets)
    {
        var sockets = await Connection.OpenManyAsync(
            Connection.MaxLoad, () => Connection.WebSocketAsync(targets.Gateway));
        try
        {
            await Task.Delay(500);
            var open = sockets.Count(socket => socket.IsOpen());
            var started = Stopwatch.GetTimestamp();
            using var session = await Page.GuestAsync(targets.Gateway);
            using var page = await SipPage.RegisterAsync(targets.Gateway, session);
            var took = Stopwatch.GetElapsedTime(started);
            await session.SignOutAsync();
            return Verdict.If(open <= MostOfOneAddress && took < TimeSpan.FromSeconds(5), string.Create(CultureInfo.InvariantCulture,
                $"{open} of {Connection.MaxLoad} unregistered WebSockets of one address are open; "
                + $"a page registered in {took.TotalSeconds:0.0} s"));
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    /// <summary>With few places, one stranger must not take those of another address.</summary>
    private static async Task<Verdict> AnotherAddress(Targets targets)
    {
        var own = await targets.OwnAsync();
        await using var part = await Part.StartAsync(
            "EpCscf", new Dictionary<string, string>(own.EpCscfSettings()) { ["EpCscf__Limits__Connections"] = "200" });
        var sockets = await Connection.OpenManyAsync(400, () => Connection.WebSocketAsync(part.Address, From("192.0.2.1")));
        using var other = await Connection.WebSocketAsync(part.Address, From("198.51.100.1"));
        sockets.ForEach(socket => socket.Dispose());
        return Verdict.If(other is not null, string.Create(CultureInfo.InvariantCulture,
            $"of 200 places a stranger got {sockets.Count}, and another address {(other is null ? "none" : "one")}"));

        static string From(string address) => $"X-Forwarded-For: {address}\r\n";
    }

    /// <summary>Connections to the gateway that send nothing, or half of a request.</summary>
    private static async Task<Verdict> UnfinishedRequests(Targets targets)
    {
        var half = $"POST /api/session/login HTTP/1.1\r\nHost: {targets.Gateway.Authority}\r\n"
            + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
        var connections = await Connection.OpenManyAsync(Connection.MaxLoad, async () =>
            await Connection.OpenAsync(targets.Gateway.Host, targets.Gateway.Port));
        foreach (var connection in connections.Take(Connection.MaxLoad / 2)) await connection.TrySendAsync(Encoding.ASCII.GetBytes(half));
        await Task.Delay(1000);
        var open = connections.Count(connection => connection.IsOpen());
        using var page = new Page(targets.Gateway);
        var answer = await page.BeginAsync();
        connections.ForEach(connection => connection.Dispose());
        return Verdict.If(open <= MostOfOneAddress && answer.IsOk,
            $"{open} of {Connection.MaxLoad} connections with half a request or none are open");
    }

    /// <summary>A few streams of one address that each send an unauthenticated Binding now and then.</summary>
    private static async Task<Verdict> StreamsThatProveNothing(Targets targets)
    {
        var own = await targets.OwnAsync();
        var streams = await Connection.OpenManyAsync(20, async () => await Connection.OpenAsync("127.0.0.1", own.TurnPort));
        try
        {
            for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < TimeForStreams; await Task.Delay(5000))
                foreach (var stream in streams.Where(stream => stream.IsOpen())) await stream.TrySendAsync(Binding());
            var open = streams.Count(stream => stream.IsOpen());
            return Verdict.If(open == 0, string.Create(CultureInfo.InvariantCulture,
                $"{open} of 20 streams that sent only Binding are open after {TimeForStreams.TotalSeconds:0} s"));
        }
        finally
        {
            streams.ForEach(stream => stream.Dispose());
        }
    }

    private static byte[] Binding()
    {
        var transaction = new byte[TransactionId.Length];
        RandomNumberGenerator.Fill(transaction);
        var writer = new StunMessageWriter(new byte[StunHeader.Length], StunMethod.Binding, StunClass.Request, new(transaction));
        return writer.Written.ToArray();
    }

    private static async Task<Verdict> UnauthenticatedStreams(Targets targets)
    {
        using var session = await Page.GuestAsync(targets.Gateway);
        var token = await session.TurnTokenAsync();
        var streams = await Connection.OpenManyAsync(
            Connection.MaxLoad, async () => await Connection.OpenAsync(token.Tcp.Host, token.Tcp.Port));
        try
        {
            await Task.Delay(1000);
            var open = streams.Count(stream => stream.IsOpen());
            await using var client = await TurnClient.ConnectAsync(token.Tcp);
            await using var allocation = await client.AllocateAsync(token.Credential);
            await session.SignOutAsync();
            return Verdict.If(open <= MostOfOneAddress, string.Create(CultureInfo.InvariantCulture,
                $"{open} of {Connection.MaxLoad} unauthenticated streams of one address are open, and a client allocated"));
        }
        finally
        {
            streams.ForEach(stream => stream.Dispose());
        }
    }

    /// <summary>A node that may open few files still relays for others.</summary>
    private static async Task<Verdict> FewDescriptors(Targets targets)
    {
        const int files = 600;
        var own = await targets.OwnAsync();
        var port = Ports.Free();
        await using var turn = await Part.StartAsync("Turn", own.TurnSettings(port), files);
        using var session = await Page.GuestAsync(own.Wwsf.Address);
        var token = await session.TurnTokenAsync();
        var streams = await Connection.OpenManyAsync(files, async () => await Connection.OpenAsync("127.0.0.1", port));
        try
        {
            await using var client = await TurnClient.ConnectAsync(
                TurnUri.Parse(string.Create(CultureInfo.InvariantCulture, $"turn:127.0.0.1:{port}")));
            await using var allocation = await client.AllocateAsync(token.Credential);
            return Verdict.If(true, $"with {files} descriptors and as many streams, a client allocated");
        }
        catch (TurnException error)
        {
            return Verdict.If(false, $"with {files} descriptors and as many streams: {error.Message}");
        }
        finally
        {
            streams.ForEach(stream => stream.Dispose());
        }
    }

    /// <summary>A page over http must not open the WebSocket of the same host over https.</summary>
    private static async Task<Verdict> SchemeOfTheOrigin(Targets targets)
    {
        var own = await targets.OwnAsync();
        using var plain = await OpenAsync("http://phone.example.com");
        using var secure = await OpenAsync("https://phone.example.com");
        return Verdict.If(plain is null && secure is not null, plain is null
            ? $"http opens nothing, https opens {(secure is null ? "nothing" : "a WebSocket")}" : "Origin http://host opened wss://host");

        Task<Connection?> OpenAsync(string origin) => Connection.WebSocketAsync(
            own.EpCscf.Address,
            $"X-Forwarded-Host: phone.example.com\r\nX-Forwarded-Proto: https\r\nOrigin: {origin}\r\n");
    }
}
