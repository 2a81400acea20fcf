using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using WebRtcIms.Contracts.RegistrationTokens;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Contracts.Tests;

public sealed class RegistrationTokenTests : IDisposable
{
    private const string Issuer = "waf.webrtcims.local";
    private const string Audience = "sip:webrtcims.local";

    private static readonly byte[] KeyOctets = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    private readonly FakeTimeProvider _time = new(DateTimeOffset.FromUnixTimeSeconds(1_800_000_000));
    private readonly RegistrationTokenKey _key = new("r1", KeyOctets);
    private readonly RegistrationTokenValidator _validator;

    public RegistrationTokenTests() => _validator = new([new("r1", KeyOctets), new("r2", new byte[32])], Issuer, Audience, _time);

    public void Dispose()
    {
        _key.Dispose();
    }

    [Fact]
    [Requirement("RFC8898-3")]
    public void TokenOfTheWaf_SaysWhatWasPutIn()
    {
        var token = Token();

        Assert.Equal(RegistrationTokenStatus.Valid, _validator.Validate(_key.Encrypt(token), out var read));
        Assert.Equal(token with { Impus = read!.Impus, Kid = "r1" }, read);
        Assert.Equal<string>(token.Impus, read.Impus);
    }

    [Fact]
    public void ManyThreadsAtOnce_MakeAndReadTokens_WithoutHarmToEachOther()
    {
        var token = Token();
        Parallel.For(0, 4000, new ParallelOptions { MaxDegreeOfParallelism = 8 }, _ =>
            Assert.Equal(RegistrationTokenStatus.Valid, _validator.Validate(_key.Encrypt(token), out RegistrationToken? _)));
    }

    [Fact]
    [Requirement("RFC8898-5")]
    public void WhatTravels_ShowsNothingOfTheUser()
    {
        var encrypted = _key.Encrypt(Token());

        var readable = string.Concat(encrypted.Split('.').Select(part => Encoding.Latin1.GetString(Base64Url.DecodeFromChars(part))));
        Assert.DoesNotContain("alice", encrypted + readable);
        Assert.Equal("***", Token().ToString());
    }

    [Fact]
    [Requirement("RFC7516-3.1")]
    [Requirement("RFC7518-5.3")]
    public void Token_IsAJweInCompactForm_WithItsHeaderAuthenticated()
    {
        var parts = _key.Encrypt(Token()).Split('.');

        Assert.Equal("""{"alg":"dir","enc":"A256GCM","typ":"JWT","kid":"r1"}""", Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[0])));
        Assert.Equal("", parts[1]);
        var (nonce, ciphertext, tag) =
            (Base64Url.DecodeFromChars(parts[2]), Base64Url.DecodeFromChars(parts[3]), Base64Url.DecodeFromChars(parts[4]));
        var plaintext = new byte[ciphertext.Length];
        using var cipher = new AesGcm(KeyOctets, tag.Length);
        cipher.Decrypt(nonce, ciphertext, tag, plaintext, Encoding.ASCII.GetBytes(parts[0]));
        using var claims = JsonDocument.Parse(plaintext);
        Assert.Equal("waf.webrtcims.local", claims.RootElement.GetProperty("3gpp-waf").GetString());
        Assert.Equal("wwsf", claims.RootElement.GetProperty("3gpp-wwsf").GetString());
        Assert.Equal("alice@webrtcims.local", claims.RootElement.GetProperty("sub").GetString());
    }

    [Fact]
    public void SecondKey_IsTakenBesideTheFirst()
    {
        using var next = new RegistrationTokenKey("r2", new byte[32]);
        Assert.Equal(RegistrationTokenStatus.Valid, _validator.Validate(next.Encrypt(Token()), out _));

        using var unknown = new RegistrationTokenKey("r3", new byte[32]);
        Assert.Equal(RegistrationTokenStatus.UnknownKey, _validator.Validate(unknown.Encrypt(Token()), out _));
    }

    [Fact]
    public void KeyNameOfAnotherKey_IsForged()
    {
        using var impostor = new RegistrationTokenKey("r1", new byte[32]);
        Assert.Equal(RegistrationTokenStatus.Forged, _validator.Validate(impostor.Encrypt(Token()), out var token));
        Assert.Null(token);
    }

    [Fact]
    public void AnyChangedCharacter_IsRefused()
    {
        var encrypted = _key.Encrypt(Token());
        for (var i = 0; i < encrypted.Length; i++)
        {
            var changed = string.Concat(encrypted.AsSpan(0, i), encrypted[i] == 'A' ? "B" : "A", encrypted.AsSpan(i + 1));
            Assert.NotEqual(RegistrationTokenStatus.Valid, _validator.Validate(changed, out _));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("....")]
    [InlineData("a.b.c")]
    [InlineData("e30..AAAA.AAAA.AAAA")]
    [InlineData("not/base64..AAAA.AAAA.AAAA")]
    public void SomethingElse_IsMalformed(string text) =>
        Assert.Equal(RegistrationTokenStatus.Malformed, _validator.Validate(text, out _));

    [Theory]
    [InlineData("""{"alg":"none","enc":"A256GCM","kid":"r1"}""")]
    [InlineData("""{"alg":"dir","enc":"A128GCM","kid":"r1"}""")]
    [InlineData("""{"alg":"dir","enc":"A256GCM","kid":"r1","zip":"DEF"}""")]
    [InlineData("""{"alg":"dir","enc":"A256GCM","kid":"r1","crit":["b64"]}""")]
    [InlineData("""{"alg":"dir","enc":"A256GCM"}""")]
    [Requirement("RFC7516-4.1")]
    public void HeaderThatTheWafDoesNotWrite_IsMalformed(string header)
    {
        var parts = _key.Encrypt(Token()).Split('.');
        parts[0] = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header));
        Assert.Equal(RegistrationTokenStatus.Malformed, _validator.Validate(string.Join('.', parts), out _));
    }

    [Fact]
    public void TokenLongerThanAnyWeMake_IsMalformed() =>
        Assert.Equal(
            RegistrationTokenStatus.Malformed,
            _validator.Validate(_key.Encrypt(Token() with { SessionId = new string('s', 5000) }), out _));

    [Fact]
    public void TokenWithoutIdentity_IsMalformed() =>
        Assert.Equal(RegistrationTokenStatus.Malformed, _validator.Validate(_key.Encrypt(Token() with { Impus = [] }), out _));

    [Fact]
    public void IssuerAndAudience_MustBeOurs()
    {
        Assert.Equal(
            RegistrationTokenStatus.WrongIssuer, _validator.Validate(_key.Encrypt(Token() with { Issuer = "waf.example.org" }), out _));
        Assert.Equal(
            RegistrationTokenStatus.WrongAudience, _validator.Validate(_key.Encrypt(Token() with { Audience = "sip:example.org" }), out _));
    }

    [Fact]
    public void Token_LivesExactlyFromItsBeginningToItsEnd()
    {
        var encrypted = _key.Encrypt(Token());

        _time.Advance(TimeSpan.FromSeconds(599));
        Assert.Equal(RegistrationTokenStatus.Valid, _validator.Validate(encrypted, out _));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(RegistrationTokenStatus.Expired, _validator.Validate(encrypted, out _));

        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        Assert.Equal(
            RegistrationTokenStatus.Valid,
            _validator.Validate(_key.Encrypt(Token() with { IssuedAt = now + 5, ExpiresAt = now + 600 }), out _));
        Assert.Equal(
            RegistrationTokenStatus.NotYetValid,
            _validator.Validate(_key.Encrypt(Token() with { IssuedAt = now + 6, ExpiresAt = now + 600 }), out _));
    }

    [Fact]
    public void SettingOfAKey_SaysWhatIsWrongAndNotWhatItIs()
    {
        Assert.Null(RegistrationTokenKey.Problem("r1", Convert.ToBase64String(KeyOctets)));
        Assert.Contains("Kid", RegistrationTokenKey.Problem("", Convert.ToBase64String(KeyOctets)));
        Assert.Equal("Key must be base64", RegistrationTokenKey.Problem("r1", "not base64!"));
        Assert.Equal("Key must have 32 octets", RegistrationTokenKey.Problem("r1", Convert.ToBase64String(new byte[16])));
    }

    private RegistrationToken Token()
    {
        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        return new()
        {
            Issuer = Issuer,
            Audience = Audience,
            Impi = "alice@webrtcims.local",
            Impus = ["sip:alice@webrtcims.local", "sip:sales@webrtcims.local"],
            Waf = "waf.webrtcims.local",
            Wwsf = "wwsf",
            IssuedAt = now,
            ExpiresAt = now + 600,
            TokenId = "Zk3",
            SessionId = "s1",
        };
    }
}
