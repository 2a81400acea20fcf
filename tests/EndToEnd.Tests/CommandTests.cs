using System.Net.Http.Json;
using System.Text.Json;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using StackExchange.Redis;
using WebRtcIms.EndToEnd.Tests.Setup;
using WebRtcIms.Tests.Common;

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
    public async Task RevokeTokens_RevokesThoseOfAClient_AndItGoesOnWithNewOnes()
    {
        var clientId = await ClientIdOfTheWwsfAsync();

        var result = await ExecuteAsync("waf", "revoke-tokens", ("kind", "client_id"), ("name", clientId));

        Assert.True(result.Success, result.Message);
        Assert.Equal($"The tokens of {clientId} are revoked.", result.Message);
        await using var redis = await ConnectAsync();
        Assert.NotNull(await redis.GetDatabase().SortedSetScoreAsync("turn:revoked", $"client:{clientId}"));
        Assert.True((await ExecuteAsync("wic-web", "test-call")).Success);
    }

    [Fact]
    public async Task RevokeTokens_WithoutAName_FailsWithAMessage()
    {
        var result = await ExecuteAsync("waf", "revoke-tokens", ("kind", "client_id"), ("name", ""));

        Assert.False(result.Success);
        Assert.StartsWith("The WAF answered 400: ", result.Message, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("RFC7635-4.1.1")]
    public async Task RotateKeys_NewTokensHaveTheNextKey_AndCallsGoOn()
    {
        var before = await system.CurrentKeysAsync();

        var result = await ExecuteAsync("waf", "rotate-keys");
        Assert.True(result.Success, result.Message);

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        // Of the TURN server and of registration tokens.
        while ((await system.CurrentKeysAsync()).Intersect(before).Any()) await Task.Delay(200, limit.Token);
        Assert.Equal(2, before.Count);
        Assert.True((await ExecuteAsync("wic-web", "test-call")).Success);
    }

    [Fact]
    public async Task NewInitialAccessToken_IsShown()
    {
        var result = await ExecuteAsync("waf", "new-initial-access-token", ("name", "test"), ("uses", "2"));

        Assert.True(result.Success, result.Message);
        Assert.Equal("The initial access token test was created.", result.Message);
        Assert.Matches("^`[A-Za-z0-9_-]{43}`", result.Data!.Value);
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

    [Fact]
    [Requirement("EXP-10")]
    public async Task Rebuild_BuildsAService_AndStartsItAgain()
    {
        var before = StartOf("flow-view");

        var result = await ExecuteAsync("flow-view", KnownResourceCommands.RebuildCommand);

        Assert.True(result.Success, result.Message);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        await system.App.ResourceNotifications.WaitForResourceAsync("flow-view", now => now.Snapshot.StartTimeStamp > before, limit.Token);
        await system.UntilHealthyAsync("flow-view", limit.Token);
    }

    private DateTime? StartOf(string resource) =>
        system.App.ResourceNotifications.TryGetCurrentState(resource, out var now) ? now.Snapshot.StartTimeStamp : null;

    private Task<ExecuteCommandResult> ExecuteAsync(string resource, string command) =>
        system.App.ResourceCommands.ExecuteCommandAsync(resource, command, Cancel);

    private Task<ExecuteCommandResult> ExecuteAsync(string resource, string command, params (string Name, string Value)[] inputs) =>
        system.App.ResourceCommands.ExecuteCommandAsync(resource, command, new InteractionInputCollection(
            [.. inputs.Select(input => Input(input.Name, input.Value))]), Cancel);

    private static InteractionInput Input(string name, string value) => name == "kind"
        ? new() { Name = name, InputType = InputType.Choice, Value = value, Options = [KeyValuePair.Create(value, value)] }
        : new() { Name = name, InputType = InputType.Text, Value = value };

    private async Task<string> ClientIdOfTheWwsfAsync()
    {
        using var http = new HttpClient { BaseAddress = system.App.GetEndpoint("waf", "admin") };
        var clients = await http.GetFromJsonAsync<JsonElement>(new Uri("/admin/clients", UriKind.Relative), Cancel);
        return clients.EnumerateArray().Last(client => client.GetProperty("initial_access_token").GetString() == "wwsf")
            .GetProperty("client_id").GetString()!;
    }

    private async Task<ConnectionMultiplexer> ConnectAsync() =>
        await ConnectionMultiplexer.ConnectAsync((await system.App.GetConnectionStringAsync("redis", Cancel))!);
}
