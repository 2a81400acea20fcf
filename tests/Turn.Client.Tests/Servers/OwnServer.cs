using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Tests.Servers;

[assembly: AssemblyFixture(typeof(OwnServer))]

namespace WebRtcIms.Turn.Client.Tests.Servers;

/// <summary>This project's TURN server, with a static user and two long-term keys. One for all tests of this assembly.</summary>
public sealed class OwnServer : IAsyncLifetime
{
    public const string User = "alice";
    public const string Password = "alice-calls-bob";

    /// <summary>Whether this machine has ::1; a container may lack it even if the kernel supports IPv6.</summary>
    public static bool HasIPv6 { get; } = CanBind(IPAddress.IPv6Loopback);

    private readonly byte[][] _keys = [RandomNumberGenerator.GetBytes(32), RandomNumberGenerator.GetBytes(32)];
    private TurnServerProcess? _process;

    public TurnUri Udp => TurnUri.Parse($"turn:127.0.0.1:{Port}");

    public TurnUri Tcp => TurnUri.Parse($"turn:127.0.0.1:{Port}?transport=tcp");

    private int Port => _process?.Port ?? throw new InvalidOperationException("not started");

    public async ValueTask InitializeAsync() => _process = await TurnServerProcess.StartAsync(
    [
        ("Turn__ListenAddress", HasIPv6 ? "127.0.0.1,::1" : "127.0.0.1"),
        ("Turn__ServerName", Tokens.ServerName),
        ("Turn__Realm", "turn.example"),
        ("Turn__Workers", "1"),
        ("Turn__StaticUsers__0__Name", User),
        ("Turn__StaticUsers__0__Password", Password),
        .. _keys.SelectMany((key, i) =>
            new[] { ($"Turn__Keys__{i}__Kid", KeyId(i)), ($"Turn__Keys__{i}__Key", Convert.ToBase64String(key)) }),
    ]);

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
    }

    /// <summary>A token as the WAF would issue it for this server.</summary>
    /// <param name="key">The index of the long-term key.</param>
    /// <param name="macKeyLength">20 or 32.</param>
    /// <param name="lifetimeSeconds">The lifetime in seconds.</param>
    internal IssuedToken IssueToken(int key = 0, int macKeyLength = 32, uint lifetimeSeconds = 600) =>
        Tokens.Issue(KeyId(key), _keys[key], RandomNumberGenerator.GetBytes(macKeyLength), lifetimeSeconds);

    private static bool CanBind(IPAddress address)
    {
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(address, 0));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string KeyId(int key) => $"k{key + 1}";
}
