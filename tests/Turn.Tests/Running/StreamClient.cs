using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>One TCP connection of a client to the running server, with requests that it signs.</summary>
internal sealed class StreamClient : IDisposable
{
    /// <summary>What the server must be started with.</summary>
    public static readonly (string, string)[] Settings =
        [("Turn__StaticUsers__0__Name", "alice"), ("Turn__StaticUsers__0__Password", "secret"), ("Turn__Realm", EngineFixture.Realm)];

    private readonly EngineClient _signer = new(new EngineFixture(), default, StunCredential.Password("alice", "secret"));
    private readonly TcpClient _connection = new();

    public NetworkStream Stream => _connection.GetStream();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<StreamClient> ConnectAsync(int port)
    {
        var client = new StreamClient();
        await client._connection.ConnectAsync(IPAddress.Loopback, port, Cancel);
        return client;
    }

    public async Task<StunAnswer> RequestAsync(StunMethod method, WriteAttributes attributes)
    {
        await Stream.WriteAsync(await BuildAsync(method, attributes), Cancel);
        return await ReadAsync();
    }

    /// <summary>A request that is right; fetches a nonce first when there is none.</summary>
    public async Task<byte[]> BuildAsync(StunMethod method, WriteAttributes attributes)
    {
        if (_signer.Nonce.Length == 0)
        {
            await Stream.WriteAsync(StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport), Cancel);
            _signer.Nonce = (await ReadAsync()).Value(StunAttributeType.Nonce);
        }

        return _signer.Build(method, attributes);
    }

    public async Task<StunAnswer> ReadAsync()
    {
        var header = new byte[StunHeader.Length];
        await Stream.ReadExactlyAsync(header, Cancel);
        var body = new byte[(header[2] << 8) | header[3]];
        await Stream.ReadExactlyAsync(body, Cancel);
        return new StunAnswer([.. header, .. body]);
    }

    public void Dispose() => _connection.Dispose();
}
