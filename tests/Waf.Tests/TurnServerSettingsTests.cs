using System.Globalization;
using WebRtcIms.Contracts;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Rings;
using WebRtcIms.Waf.Tokens;

namespace WebRtcIms.Waf.Tests;

public sealed class TurnServerSettingsTests
{
    private const string NameProblem = "Name must have 1 to 255 octets";
    private const string KidProblem = "Kid must have 1 to 128 octets and no '~'";
    private const string RingKidProblem = "Kid must have 1 to 108 octets and no '~'; without it, this holds for Name";
    private const string LeadProblem = "KeyLeadTime must be a time from 00:00:01 to 1.00:00:00";
    private const string RotationProblem = "KeyRotation must be longer than KeyLeadTime, and at most 365.00:00:00";
    private const string LifetimeProblem = "TokenLifetime must be a time from 00:00:30 to 1.00:00:00";
    private const string Thumbprint = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    [Fact]
    public void EmptySettings_LackName_AndHaveARing()
    {
        var settings = new TurnServerSettings();

        Assert.Equal([NameProblem], settings.Problems());
        Assert.True(settings.HasRing);
        Assert.Equal(("A256GCM", TimeSpan.FromMinutes(10)), (settings.Algorithm, settings.TokenLifetime));
        Assert.Equal((TimeSpan.FromDays(1), TimeSpan.FromMinutes(10)), (settings.KeyRotation, settings.KeyLeadTime));
        Assert.Null(settings.Thumbprint);
    }

    [Fact]
    public void GoodSettings_HaveNoProblem() => Assert.Empty(Good().Problems());

    [Theory]
    [InlineData("n", 1, null)]
    [InlineData("n", 255, null)]
    [InlineData("n", 256, NameProblem)]
    [InlineData("ü", 127, null)]
    [InlineData("ü", 128, NameProblem)]
    [Requirement("RFC7635-6.1")]
    public void Name_IsMeasuredInOctets(string letter, int count, string? problem)
    {
        var settings = Good();
        settings.Name = string.Concat(Enumerable.Repeat(letter, count));
        Assert.Equal(problem is null ? [] : [problem], settings.Problems());
    }

    [Theory]
    [InlineData("k", 1, null)]
    [InlineData("k", 128, null)]
    [InlineData("k", 129, KidProblem)]
    [InlineData("ü", 64, null)]
    [InlineData("ü", 65, KidProblem)]
    [InlineData("~", 1, KidProblem)]
    [InlineData("k~", 2, KidProblem)]
    public void Kid_IsMeasuredInOctets_AndHasNoTilde(string letter, int count, string? problem)
    {
        var settings = Good();
        settings.Kid = string.Concat(Enumerable.Repeat(letter, count));
        Assert.Equal(problem is null ? [] : [problem], settings.Problems());
    }

    [Fact]
    public void TokenLifetime_IsWithinTheLimitsOfTheContract()
    {
        var settings = Good();
        foreach (var (lifetime, isGood) in ((TimeSpan, bool)[])[
            (TokenLimits.ShortestLifetime, true), (TokenLimits.ShortestLifetime - TimeSpan.FromTicks(1), false),
            (TokenLimits.LongestLifetime, true), (TokenLimits.LongestLifetime + TimeSpan.FromTicks(1), false)])
        {
            settings.TokenLifetime = lifetime;
            Assert.Equal(isGood ? [] : [LifetimeProblem], settings.Problems());
        }
    }

    [Theory]
    [InlineData("A256GCM", 31, "Key must have 32 octets or more for A256GCM")]
    [InlineData("A256GCM", 32, null)]
    [InlineData("A256GCM", 33, null)]
    [InlineData("A128GCM", 15, "Key must have 16 octets or more for A128GCM")]
    [InlineData("A128GCM", 16, null)]
    [InlineData("A128GCM", 32, null)]
    [InlineData("A512GCM", 64, "Algorithm must be A256GCM or A128GCM")]
    [Requirement("RFC7635-6.2-1")]
    public void Key_IsLongEnoughForTheAlgorithm(string algorithm, int octets, string? problem)
    {
        var settings = Good();
        (settings.Algorithm, settings.Key) = (algorithm, Convert.ToBase64String(new byte[octets]));
        Assert.Equal(problem is null ? [] : [problem], settings.Problems());
    }

    [Fact]
    public void KeyThatIsNotBase64_IsAProblem()
    {
        var settings = Good();
        settings.Key = "not base64";
        Assert.Equal(["Key must be base64"], settings.Problems());
    }

    [Fact]
    public void ServerWithAKey_HasNoRing()
    {
        var ring = Good().ToRing();
        Assert.Equal(("turn.example.org", "k1", 32), (ring.Name, ring.Kid, ring.StaticKey?.Length));
    }

    [Theory]
    [InlineData("", "turn.example.org.7")]
    [InlineData("eu", "eu.7")]
    public void KidsOfARing_BeginWithKid_OrWithName(string kid, string expected)
    {
        var settings = Ring();
        settings.Kid = kid;
        Assert.Equal([], settings.Problems());
        Assert.Equal(expected, settings.ToRing().KidOf(7));
        Assert.Null(settings.ToRing().StaticKey);
    }

    [Theory]
    [InlineData("k", 108, true)]
    [InlineData("k", 109, false)]
    [InlineData("ü", 55, false)]
    [InlineData("~", 1, false)]
    public void KidOfARing_HasPlaceForANumber(string letter, int count, bool isGood)
    {
        var settings = Ring();
        settings.Kid = string.Concat(Enumerable.Repeat(letter, count));
        Assert.Equal(isGood ? [] : [RingKidProblem], settings.Problems());
    }

    [Fact]
    public void LongName_NeedsAKid()
    {
        var settings = Ring();
        settings.Name = new string('n', 109);
        Assert.Equal([RingKidProblem], settings.Problems());
        settings.Kid = "k";
        Assert.Equal([], settings.Problems());
    }

    [Theory]
    [InlineData("00:00:01", "00:00:02", null)]
    [InlineData("00:00:00.9", "00:00:02", LeadProblem)]
    [InlineData("1.00:00:00", "365.00:00:00", null)]
    [InlineData("1.00:00:01", "365.00:00:00", LeadProblem)]
    [InlineData("00:10:00", "00:10:00", RotationProblem)]
    [InlineData("00:10:00", "365.00:00:01", RotationProblem)]
    public void RotationAndLeadTime_AreBounded(string leadTime, string rotation, string? problem)
    {
        var settings = Ring();
        settings.KeyLeadTime = TimeSpan.Parse(leadTime, CultureInfo.InvariantCulture);
        settings.KeyRotation = TimeSpan.Parse(rotation, CultureInfo.InvariantCulture);
        Assert.Equal(problem is null ? [] : [problem], settings.Problems());
    }

    [Theory]
    [InlineData("eu", "", true)]
    [InlineData("eu.12", "a2V5", true)]
    [InlineData("eu.x", "a2V5", false)]
    [InlineData("eu", "a2V5", false)]
    [InlineData("us.12", "a2V5", false)]
    public void KidThatARingCouldUse_IsFound(string kid, string key, bool isPossible)
    {
        var other = new TurnServerSettings { Name = "other", Kid = kid, Key = key };
        Assert.Equal(isPossible, RingSettings.MayHaveKidOf("eu", other.KidOrPrefix, other.HasRing));
    }

    [Theory]
    [InlineData(Thumbprint, true)]
    [InlineData("00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F", true)]
    [InlineData("", false)]
    [InlineData("0001", false)]
    [InlineData(Thumbprint + "20", false)]
    [InlineData(Thumbprint + "2", false)]
    [InlineData("g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", false)]
    [Requirement("RFC7635-4.1.1")]
    public void CertificateSha256_Is64Digits_WithOrWithoutColons(string text, bool isGood)
    {
        var settings = Good();
        settings.CertificateSha256 = text;
        Assert.Equal(isGood ? Convert.FromHexString(Thumbprint) : null, settings.Thumbprint);
        Assert.Equal(isGood ? [] : ["CertificateSha256 must be 64 hexadecimal digits"], settings.Problems());
    }

    private static TurnServerSettings Ring() => new() { Name = "turn.example.org" };

    private static TurnServerSettings Good() => new() { Name = "turn.example.org", Kid = "k1", Key = Convert.ToBase64String(new byte[32]) };
}
