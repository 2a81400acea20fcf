using WebRtcIms.Stun.Framing;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;

namespace WebRtcIms.Abuse.Frame;

/// <summary>TURN over TCP by hand, for the requests of RFC 6062 that the client does not have.</summary>
internal sealed class TcpTurn(Connection connection, string username, string password) : IDisposable
{
    private const byte TcpProtocol = 6;

    private byte[] _realm = [];
    private byte[] _nonce = [];

    /// <summary>Allocates a TCP relay; the error code, or <see cref="StunError.None"/>.</summary>
    public async Task<StunError> AllocateAsync()
    {
        await AskAsync(StunMethod.Allocate, []);
        return await AskAsync(StunMethod.Allocate, [(StunAttributeType.RequestedTransport, [TcpProtocol, 0, 0, 0])]);
    }

    /// <summary>Connects the relay to a peer.</summary>
    public Task<StunError> ConnectAsync(IPEndPoint peer) => AskAsync(StunMethod.Connect, [], peer);

    public void Dispose() => connection.Dispose();

    private async Task<StunError> AskAsync(StunMethod method, (StunAttributeType Type, byte[] Value)[] attributes, IPEndPoint? peer = null)
    {
        await connection.SendAsync(Write(method, attributes, peer));
        var answer = await ReadAsync();
        if (StunMessageReader.TryRead(answer, out var message) != StunParseStatus.Ok) throw new InvalidDataException("not STUN");
        if (message.TryGet(StunAttributeType.Realm, out var realm)) _realm = realm.ToArray();
        if (message.TryGet(StunAttributeType.Nonce, out var nonce)) _nonce = nonce.ToArray();
        return message.ErrorCode;
    }

    private byte[] Write(StunMethod method, (StunAttributeType Type, byte[] Value)[] attributes, IPEndPoint? peer)
    {
        var transaction = new byte[TransactionId.Length];
        System.Security.Cryptography.RandomNumberGenerator.Fill(transaction);
        var writer = new StunMessageWriter(new byte[2048], method, StunClass.Request, new TransactionId(transaction));
        foreach (var (type, value) in attributes) writer.Write(type, value);
        if (peer is not null) writer.WriteXorAddress(StunAttributeType.XorPeerAddress, TransportAddress.From(peer));
        if (_nonce.Length == 0) return writer.Written.ToArray();
        var name = Encoding.UTF8.GetBytes(username);
        writer.Write(StunAttributeType.Username, name);
        writer.Write(StunAttributeType.Realm, _realm);
        writer.Write(StunAttributeType.Nonce, _nonce);
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5(name, _realm, Encoding.UTF8.GetBytes(password), key);
        writer.AddMessageIntegrity(key);
        return writer.Written.ToArray();
    }

    // One answer for each request, so a frame is never followed by another.
    private async Task<byte[]> ReadAsync()
    {
        List<byte> octets = [];
        while (octets.Count < StreamFraming.PrefixLength || octets.Count < StreamFraming.FrameLength(octets.GetRange(0, 4).ToArray()))
        {
            var more = await connection.ReadAsync();
            if (more.Length == 0) throw new InvalidDataException("the server ended the stream");
            octets.AddRange(more);
        }

        return [.. octets];
    }
}
