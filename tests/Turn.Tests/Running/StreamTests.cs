using System.Globalization;
using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>Messages in a TCP stream, and datagrams that are none, against the running server on each back end.</summary>
public sealed class StreamTests : IAsyncLifetime
{
    private TurnServerProcess? _server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IPEndPoint Address => new(IPAddress.Loopback, _server!.Port);

    public async ValueTask InitializeAsync() => _server = await TurnServerProcess.StartAsync(
        ("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"));

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }

    [Fact]
    [Requirement("RFC8489-6.2.2")]
    [Requirement("ABUSE-24")]
    [Requirement("TURN-A3")]
    [Requirement("TURN-A16")]
    public async Task OctetByOctet_IsTheSameAsWhole()
    {
        using var connection = await ConnectAsync();
        var request = StunRequest.Plain(StunMethod.Binding);
        foreach (var octet in request) await connection.GetStream().WriteAsync(new[] { octet }, Cancel);

        Assert.Equal(request[8..20], (await ReadAsync(connection))[8..20]);
    }

    [Fact]
    [Requirement("RFC8489-6.2.2")]
    [Requirement("ABUSE-24")]
    [Requirement("TURN-A3")]
    [Requirement("TURN-A16")]
    public async Task SixtyFourInOneSegment_AreAllAnsweredInOrder()
    {
        using var connection = await ConnectAsync();
        var requests = Enumerable.Range(0, 64).Select(_ => StunRequest.Plain(StunMethod.Binding)).ToList();
        await connection.GetStream().WriteAsync(requests.SelectMany(request => request).ToArray(), Cancel);

        foreach (var request in requests) Assert.Equal(request[8..20], (await ReadAsync(connection))[8..20]);
    }

    [Theory]
    [InlineData("1603010200010001FC0303")]
    [InlineData("FFFFFFFFFFFFFFFF")]
    [InlineData("0001000300000000")]
    [Requirement("ABUSE-22")]
    public async Task StreamThatCannotBeFollowed_IsClosed_AndOthersAreServed(string octets)
    {
        using var other = await ConnectAsync();
        using var connection = await ConnectAsync();
        await connection.GetStream().WriteAsync(Convert.FromHexString(octets), Cancel);
        Assert.Equal(0, await ReadToEndAsync(connection));

        await other.GetStream().WriteAsync(StunRequest.Plain(StunMethod.Binding), Cancel);
        Assert.Equal(StunClass.SuccessResponse, ClassOf(await ReadAsync(other)));
    }

    [Fact]
    [Requirement("ABUSE-1")]
    [Requirement("ABUSE-4")]
    [Requirement("ABUSE-20")]
    [Requirement("TURN-A1")]
    public async Task Datagrams_OfAnyLengthAndContent_LeaveTheServerAlive()
    {
        using var socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var random = new Random(7);
        foreach (var length in new[] { 0, 1, 3, 19, 20, 21, 548, 1500, 9000, 65507 })
        {
            for (var first = 0; first < 256; first += 15)
            {
                var datagram = new byte[length];
                random.NextBytes(datagram);
                if (length > 0) datagram[0] = (byte)first;
                await socket.SendAsync(datagram, Address, Cancel);
            }
        }

        var request = StunRequest.Plain(StunMethod.Binding);
        await socket.SendAsync(request, Address, Cancel);
        var answer = await socket.ReceiveAsync(Cancel);

        Assert.Equal(request[8..20], answer.Buffer[8..20]);
        Assert.DoesNotContain("could not be handled", _server!.Output, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("RFC8489-6.3.1.2")]
    [Requirement("TURN-A13")]
    public async Task Answer_LeavesFromTheAddressThatWasAsked()
    {
        await using var server = await TurnServerProcess.StartAsync(
            ("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"), ("Turn__ListenAddress", "127.0.0.1,127.0.0.2"));
        foreach (var address in new[] { "127.0.0.1", "127.0.0.2" })
        {
            using var socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
            var asked = IPEndPoint.Parse(string.Create(CultureInfo.InvariantCulture, $"{address}:{server.Port}"));
            await socket.SendAsync(StunRequest.Plain(StunMethod.Binding), asked, Cancel);

            Assert.Equal(asked, (await socket.ReceiveAsync(Cancel)).RemoteEndPoint);
        }
    }

    private static StunClass ClassOf(byte[] message)
    {
        Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(message, out var read));
        return read.Class;
    }

    private static async Task<byte[]> ReadAsync(TcpClient connection)
    {
        var header = new byte[StunHeader.Length];
        await connection.GetStream().ReadExactlyAsync(header, Cancel);
        var body = new byte[(header[2] << 8) | header[3]];
        await connection.GetStream().ReadExactlyAsync(body, Cancel);
        return [.. header, .. body];
    }

    private static async Task<int> ReadToEndAsync(TcpClient connection)
    {
        try
        {
            return await connection.GetStream().ReadAsync(new byte[100], Cancel);
        }
        catch (IOException)
        {
            // A reset is also an end.
            return 0;
        }
    }

    private async Task<TcpClient> ConnectAsync()
    {
        var connection = new TcpClient();
        await connection.ConnectAsync(Address, Cancel);
        return connection;
    }
}
