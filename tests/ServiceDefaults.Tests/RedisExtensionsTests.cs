using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;

namespace WebRtcIms.ServiceDefaults.Tests;

public sealed class RedisExtensionsTests
{
    [Theory]
    [InlineData("", 250, 250)]
    [InlineData(",asyncTimeout=700", 700, 250)]
    [InlineData(",syncTimeout=900", 900, 900)] // StackExchange.Redis takes it for both.
    public async Task CommandTimeout_IsShort_UnlessTheConnectionStringHasAnother(string options, int asyncTimeout, int syncTimeout)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["ConnectionStrings:redis"] = $"127.0.0.1:1{options}";
        Assert.True(builder.TryAddRedisClient());
        using var host = builder.Build();

        await using var redis = host.Services.GetRequiredService<IConnectionMultiplexer>();

        var used = ConfigurationOptions.Parse(redis.Configuration);
        Assert.Equal((asyncTimeout, syncTimeout), (used.AsyncTimeout, used.SyncTimeout));
    }
}
