using Microsoft.Extensions.Logging;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Waf.Rings;

namespace WebRtcIms.Waf.Tests;

/// <summary>The bound of the uses of a key of the settings, which does not rotate.</summary>
public sealed class KeyUseTests : IDisposable
{
    private readonly LogRecorder _logs = new();
    private readonly LoggerFactory _loggers;
    private readonly KeyUse _use;

    public KeyUseTests()
    {
        _loggers = new LoggerFactory([_logs]);
        _use = new KeyUse(_loggers.CreateLogger<KeyUse>());
    }

    public void Dispose()
    {
        _loggers.Dispose();
        _logs.Dispose();
    }

    [Theory]
    [InlineData(27)]
    [InlineData(28)]
    [InlineData(31)]
    [Requirement("SEC-29")]
    public void Warning_IsLoggedOnce_AtEachPowerOfTwo(int power)
    {
        using var key = Key(uses: (1L << power) - 2, KeyMaterial.MaxStaticUses);
        Assert.True(_use.TryAdd(key));
        Assert.Empty(_logs.Records);

        Assert.True(_use.TryAdd(key));
        Assert.True(_use.TryAdd(key));

        var record = Assert.Single(_logs.Records);
        Assert.StartsWith("Warning ", record);
        Assert.Contains($"The long-term key k1 has encrypted {1L << power} tokens", record);
    }

    [Fact]
    [Requirement("SEC-29")]
    public void UsedUpKey_EncryptsNoMore_AndIsAnErrorOnce()
    {
        using var key = Key(uses: 0, maxUses: 3);
        for (var i = 0; i < 3; i++) Assert.True(_use.TryAdd(key));
        Assert.Empty(_logs.Records);

        Assert.False(_use.TryAdd(key));
        Assert.False(_use.TryAdd(key));

        Assert.StartsWith("Error ", Assert.Single(_logs.Records));
    }

    [Fact]
    [Requirement("SEC-29")]
    public async Task UsesOfAStaticKey_AreCounted()
    {
        using var app = new WafApp();
        var ring = app.Ring;
        Assert.Equal(0, ring.GetCurrent(TimeProvider.System.GetUtcNow()).Material.Uses);

        (await new TokenRequest().SendAsync(app)).AssertOk();
        (await new TokenRequest().SendAsync(app)).AssertOk();

        Assert.Equal(2, ring.GetCurrent(TimeProvider.System.GetUtcNow()).Material.Uses);
    }

    private static KeyMaterial Key(long uses, long maxUses) => new("k1", AccessTokenAlgorithm.A256Gcm, new byte[32], uses, maxUses);
}
