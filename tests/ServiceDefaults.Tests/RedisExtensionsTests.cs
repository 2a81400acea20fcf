using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using StackExchange.Redis;
using WebRtcIms.Tests.Common;

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

    [Theory]
    [InlineData("redis://127.0.0.1", "127.0.0.1:6379", null, null, 0, false)]
    [InlineData("redis://127.0.0.1:1/3", "127.0.0.1:1", null, null, 3, false)]
    [InlineData("redis://:p%2Cw%40d@localhost:1", "localhost:1", null, "p,w@d", 0, false)]
    [InlineData("rediss://user:pw@127.0.0.1:1/", "127.0.0.1:1", "user", "pw", 0, true)]
    [InlineData("redis://[::1]:1", "[::1]:1", null, null, 0, false)]
    [Requirement("NET-16")]
    public async Task Url_IsReadAsOtherClientsDo(
        string url, string endpoint, string? user, string? password, int database, bool isEncrypted)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["ConnectionStrings:redis"] = url;
        Assert.True(builder.TryAddRedisClient());
        using var host = builder.Build();

        await using var redis = host.Services.GetRequiredService<IConnectionMultiplexer>();

        // A password with a comma makes this text one that its own parser would not read.
        var used = redis.Configuration;
        Assert.StartsWith($"{endpoint},", used, StringComparison.Ordinal);
        Assert.Equal(user is not null, used.Contains($",user={user},", StringComparison.Ordinal));
        Assert.Equal(password is not null, used.Contains($",password={password},", StringComparison.Ordinal));
        Assert.Equal(isEncrypted, used.Contains(",ssl=True", StringComparison.Ordinal));
        Assert.Contains($",defaultDatabase={database}", used, StringComparison.Ordinal);
    }

    /// <summary>A proxy or a network may cut an answer. Each later answer would go to the command before its own.</summary>
    [Fact]
    public async Task AnswerWithoutItsEnd_LaterCommandsSoonGetTheirOwnAnswers()
    {
        await using var server = await RedisServer.StartAsync();
        await using var proxy = new FaultProxy(server.Address);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Configuration["ConnectionStrings:redis"] = proxy.Address;
        Assert.True(builder.TryAddRedisClient());
        using var host = builder.Build();
        var redis = host.Services.GetRequiredService<IConnectionMultiplexer>();
        Assert.Equal("connected", await EchoAsync("connected"));

        proxy.Mode = ProxyMode.Unfinished;
        Assert.NotEqual("cut", await EchoAsync("cut"));
        proxy.Mode = ProxyMode.Pass;

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(20));
        for (var number = 0; await EchoAsync($"{number}") != $"{number}"; number++) await Task.Delay(50, limit.Token);

        async Task<string?> EchoAsync(string word)
        {
            try
            {
                return (string?)await redis.GetDatabase().ExecuteAsync("ECHO", word);
            }
            catch (Exception error) when (RedisAvailability.IsFailure(error))
            {
                return null;
            }
        }
    }
}
