using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>An Allocate as it stands on the wire, and all of its answer: what no client library would show.</summary>
internal static class RawAllocate
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    /// <summary>The last answer of the exchange; the first one when there is no user.</summary>
    public static async Task<RawAnswer> SendAsync(int port, string transport, string? user, string? password)
    {
        using var limit = new CancellationTokenSource(Limit);
        using var socket = transport == "udp"
            ? new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp)
            : new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), limit.Token);
        var challenge = await AskAsync(socket, StunRequest.Plain(StunMethod.Allocate, StunRequest.UdpTransport), limit.Token);
        if (user is null) return new RawAnswer(challenge, IsSigned: false);

        var realm = challenge.Value(StunAttributeType.Realm);
        var key = new byte[LongTermKey.Md5Length];
        LongTermKey.ComputeMd5(Encoding.UTF8.GetBytes(user), realm, Encoding.UTF8.GetBytes(password!), key);
        var answer = await AskAsync(socket, Signed(user, realm, challenge.Value(StunAttributeType.Nonce), key), limit.Token);
        return new RawAnswer(answer, answer.Message.VerifyMessageIntegrity(key));
    }

    private static byte[] Signed(string user, byte[] realm, byte[] nonce, byte[] key)
    {
        var request =
            new StunMessageWriter(
                new byte[1024], StunMethod.Allocate, StunClass.Request, new TransactionId(RandomNumberGenerator.GetBytes(12)));
        StunRequest.UdpTransport(ref request);
        request.Write(StunAttributeType.Username, Encoding.UTF8.GetBytes(user));
        request.Write(StunAttributeType.Realm, realm);
        request.Write(StunAttributeType.Nonce, nonce);
        request.AddMessageIntegrity(key);
        return request.Written.ToArray();
    }

    private static async Task<StunAnswer> AskAsync(Socket socket, byte[] request, CancellationToken cancel)
    {
        await socket.SendAsync(request, cancel);
        var answer = new byte[2048];
        var length = await socket.ReceiveAsync(answer, cancel);
        return new StunAnswer(answer[..length]);
    }
}

/// <summary>What the server answered, and whether its integrity is right.</summary>
internal sealed record RawAnswer(StunAnswer Answer, bool IsSigned)
{
    public StunError Error => Answer.Error;

    /// <summary>ALTERNATE-SERVER, coded as MAPPED-ADDRESS (RFC 8489 §14.15).</summary>
    public IPEndPoint? AlternateServer =>
        Answer.Has(StunAttributeType.AlternateServer) && Answer.Value(StunAttributeType.AlternateServer) is [0, 1, _, _, _, _, _, _] value
        ? new IPEndPoint(new IPAddress(value.AsSpan(4)), BinaryPrimitives.ReadUInt16BigEndian(value.AsSpan(2)))
        : null;
}
