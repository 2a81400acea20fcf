using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;

namespace WebRtcIms.Micro;

/// <summary>The cost of codec, integrity and tokens for each authenticated request.</summary>
[MemoryDiagnoser]
public class Messages
{
    private static readonly byte[] Key = RandomNumberGenerator.GetBytes(32);
    private static readonly TransactionId Transaction = new(RandomNumberGenerator.GetBytes(TransactionId.Length));
    private static readonly AccessTokenKey TokenKey = new("k1", AccessTokenAlgorithm.A256Gcm, RandomNumberGenerator.GetBytes(32));
    private readonly byte[] _buffer = new byte[512];
    private byte[] _sha1 = [];
    private byte[] _sha256 = [];
    private byte[] _token = [];

    [GlobalSetup]
    public void SetUp()
    {
        _sha1 = Request(sha256: false);
        _sha256 = Request(sha256: true);
        var octets = new byte[AccessToken.MaxEncodedLength];
        var token = new AccessToken(Key, TokenTimestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow()), 600);
        _token =
            octets[..TokenKey.Encrypt(token, RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength), "turn.example.org"u8, octets)];
    }

    [Benchmark]
    public bool Read() => StunMessageReader.TryRead(_sha1, out _) == StunParseStatus.Ok;

    [Benchmark]
    public int Write() => Write(_buffer, sha256: null);

    [Benchmark]
    public int WriteWithSha1() => Write(_buffer, sha256: false);

    [Benchmark]
    public int WriteWithSha256() => Write(_buffer, sha256: true);

    [Benchmark]
    public bool VerifySha1() =>
        StunMessageReader.TryRead(_sha1, out var message) == StunParseStatus.Ok && message.VerifyMessageIntegrity(Key);

    [Benchmark]
    public bool VerifySha256() =>
        StunMessageReader.TryRead(_sha256, out var message) == StunParseStatus.Ok && message.VerifyMessageIntegritySha256(Key);

    [Benchmark]
    public bool DecryptToken() => TokenKey.TryDecrypt(_token, "turn.example.org"u8, out _) == AccessTokenStatus.Valid;

    private static byte[] Request(bool sha256)
    {
        var buffer = new byte[512];
        return buffer[..Write(buffer, sha256)];
    }

    private static int Write(byte[] buffer, bool? sha256)
    {
        var writer = new StunMessageWriter(buffer, StunMethod.Allocate, StunClass.Request, Transaction);
        writer.Write(StunAttributeType.RequestedTransport, [17, 0, 0, 0]);
        writer.Write(StunAttributeType.Username, "alice"u8);
        writer.Write(StunAttributeType.Realm, "example.org"u8);
        writer.Write(StunAttributeType.Nonce, "obMatJos2AAAAabcdefghijklmnopqrstuvwxyz0"u8);
        if (sha256 == true) writer.AddMessageIntegritySha256(Key);
        if (sha256 == false) writer.AddMessageIntegrity(Key);
        return writer.Length;
    }
}
