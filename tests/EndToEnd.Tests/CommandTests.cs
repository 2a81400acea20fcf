using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using StackExchange.Redis;
using WebRtcIms.EndToEnd.Tests.Setup;

namespace WebRtcIms.EndToEnd.Tests;

/// <summary>The commands of Aspire's dashboard, called as by the dashboard and the <c>aspire</c> command line.</summary>
[Collection(RunningSystem.Collection)]
public sealed class CommandTests(RunningSystem system)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TestCall_ShowsTheTimeOfEachStep_AndLeavesATraceForTheLadder()
    {
        var result = await ExecuteAsync("wic-web", "test-call");

        Assert.True(result.Success, result.Message);
        Assert.Matches(@"^The test call worked in [0-9.]+ ms\.$", result.Message);
        string[] steps =
        [
            "Anonymous session", "TURN token", "Allocate (caller)", "Allocate (callee)", "Permission", "Channel",
            "Echo through both relays, 20 times",
        ];
        foreach (var step in steps)
            Assert.Matches($@"\| {System.Text.RegularExpressions.Regex.Escape(step)} \| [0-9]+\.[0-9] ms \|", result.Data!.Value);
        Assert.Matches("Trace `[0-9a-f]{32}`", result.Data!.Value);
    }

    [Fact]
    public async Task TestCall_NamesTheStepThatFailed()
    {
        await using (await system.WithoutAsync("waf"))
        {
            var result = await ExecuteAsync("wic-web", "test-call");

            Assert.False(result.Success);
            Assert.StartsWith("The test call failed at \"TURN token\": ", result.Message, StringComparison.Ordinal);
            Assert.Contains("| Anonymous session |", result.Data!.Value, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Drain_RefusesNewCalls_UntilResumed()
    {
        var drained = await ExecuteAsync("turn", "drain");
        try
        {
            Assert.True(drained.Success, drained.Message);
            Assert.Matches("^Draining: [0-9]+ allocations go on, new ones are refused\\.$", drained.Message);
            var refused = await ExecuteAsync("wic-web", "test-call");
            Assert.StartsWith(
                "The test call failed at \"Allocate (caller)\": The TURN server refused Allocate: 508", refused.Message,
                StringComparison.Ordinal);
        }
        finally
        {
            Assert.Equal("New clients are taken again.", (await ExecuteAsync("turn", "resume")).Message);
        }

        Assert.True((await ExecuteAsync("wic-web", "test-call")).Success);
    }

    [Fact]
    public async Task ShowAllocations_ListsThem()
    {
        var result = await ExecuteAsync("turn", "show-allocations");

        Assert.True(result.Success, result.Message);
        Assert.Matches("^There (is one allocation|are (no|[0-9]+) allocations)\\.$", result.Message);
    }

    [Fact]
    public async Task RevokeAllTokens_EndsThem_AndNewCallsWork()
    {
        var result = await ExecuteAsync("turn", "revoke-all-tokens");

        Assert.True(result.Success, result.Message);
        Assert.Equal("All tokens that were issued until now are revoked.", result.Message);
        await using var redis = await ConnectAsync();
        Assert.NotNull(await redis.GetDatabase().SortedSetScoreAsync("turn:revoked", "all"));
        Assert.True((await ExecuteAsync("wic-web", "test-call")).Success);
    }

    [Fact]
    public async Task RevokeClient_RevokesItsTokens_AndItGoesOnWithNewOnes()
    {
        var clientId = await ClientIdOfTheWwsfAsync();

        var result = await system.App.ResourceCommands.ExecuteCommandAsync("waf", "revoke-client", Client(clientId), Cancel);

        Assert.True(result.Success, result.Message);
        Assert.Equal($"All tokens that {clientId} got until now are revoked.", result.Message);
        await using var redis = await ConnectAsync();
        Assert.NotNull(await redis.GetDatabase().SortedSetScoreAsync("turn:revoked", $"client:{clientId}"));
        Assert.True((await ExecuteAsync("wic-web", "test-call")).Success);
    }

    [Fact]
    public async Task Flush_EmptiesRedis()
    {
        await using var redis = await ConnectAsync();
        await redis.GetDatabase().StringSetAsync("test:flush", "x", TimeSpan.FromMinutes(1));

        var result = await ExecuteAsync("redis", "flush");

        Assert.True(result.Success, result.Message);
        Assert.Matches("^[1-9][0-9]* keys were deleted\\.$", result.Message);
        Assert.False(await redis.GetDatabase().KeyExistsAsync("test:flush"));
    }

    [Fact]
    public async Task FlushWithoutRedis_FailsWithAMessage()
    {
        await using (await system.WithoutAsync("redis"))
        {
            var result = await ExecuteAsync("redis", "flush");

            Assert.False(result.Success);
            Assert.StartsWith("Redis cannot be flushed: ", result.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("password=", result.Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    private Task<ExecuteCommandResult> ExecuteAsync(string resource, string command) =>
        system.App.ResourceCommands.ExecuteCommandAsync(resource, command, Cancel);

    private static InteractionInputCollection Client(string id) =>
        new([new InteractionInput { Name = "client", InputType = InputType.Text, Value = id }]);

    // The WAF names the client that registered in its log.
    private async Task<string> ClientIdOfTheWwsfAsync()
    {
        const string begin = "The client ";
        const string end = " was registered with the initial access token wwsf";
        var lines = (await system.LinesOfAsync("waf")).Select(line => line.Content);
        var line = lines.Last(line => line.Contains(end, StringComparison.Ordinal));
        var text = line[..line.IndexOf(end, StringComparison.Ordinal)];
        return text[(text.LastIndexOf(begin, StringComparison.Ordinal) + begin.Length)..];
    }

    private async Task<ConnectionMultiplexer> ConnectAsync() =>
        await ConnectionMultiplexer.ConnectAsync((await system.App.GetConnectionStringAsync("redis", Cancel))!);
}
