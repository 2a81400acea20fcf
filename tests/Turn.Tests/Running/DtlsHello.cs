using System.Net;
using System.Net.Sockets;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>The beginning of a handshake, octet by octet (RFC 6347 §4.2.1), from a client that goes no further.</summary>
internal static class DtlsHello
{
    public const byte HelloVerifyRequest = 3;
    public const byte ServerHello = 2;

    private const byte HandshakeRecord = 22;

    /// <summary>
    /// The type of the handshake message in a datagram; 0 for any other record. A fatal alert has the octet of a ServerHello in the
    /// same place, and the server sends one when it ends a handshake.
    /// </summary>
    public static byte TypeOf(byte[] datagram) => datagram[0] == HandshakeRecord ? datagram[13] : (byte)0;

    public static UdpClient Bound() => new(new IPEndPoint(IPAddress.Loopback, 0));

    /// <summary>DTLS 1.2 with one suite, secp256r1 and rsa_pkcs1_sha256.</summary>
    public static byte[] Write(byte[] cookie)
    {
        byte[] extensions = [.. Hex("000A00040002001700" + "0B00020100" + "000D000400020401" + "FF01000100")];
        byte[] body =
        [
            0xFE, 0xFD, .. new byte[32], 0, (byte)cookie.Length, .. cookie, .. Hex("0002C02F0100"),
            (byte)(extensions.Length >> 8), (byte)extensions.Length, .. extensions,
        ];
        var number = (byte)(cookie.Length > 0 ? 1 : 0);
        byte[] length = [0, (byte)(body.Length >> 8), (byte)body.Length];
        byte[] message = [1, .. length, 0, number, 0, 0, 0, .. length, .. body];
        return [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, number, (byte)(message.Length >> 8), (byte)message.Length, .. message];
    }

    /// <summary>Sends until something comes back, as every client does: the server may have been busy.</summary>
    public static async Task<byte[]> AskAsync(UdpClient socket, IPEndPoint server, byte[] datagram)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        var answer = socket.ReceiveAsync(limit.Token).AsTask();
        while (!answer.IsCompleted)
        {
            await socket.SendAsync(datagram, server, limit.Token);
            await Task.WhenAny(answer, Task.Delay(500, limit.Token));
        }

        return (await answer).Buffer;
    }

    private static byte[] Hex(string text) => Convert.FromHexString(text);
}
