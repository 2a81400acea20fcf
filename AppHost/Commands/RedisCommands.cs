using StackExchange.Redis;

namespace WebRtcIms.AppHost;

internal static class RedisCommands
{
    public static IResourceBuilder<TRedis> WithFlushCommand<TRedis>(this IResourceBuilder<TRedis> redis)
        where TRedis : IResourceWithConnectionString =>
        redis.WithCommand("flush", "Flush", context => FlushAsync(redis.Resource, context.CancellationToken), new CommandOptions
        {
            Description = "Deletes everything in Redis: grants, token caches, revocations, leases and registrations of replicas.",
            ConfirmationMessage =
                "Pages have to register again, and revoked tokens are valid again at TURN servers that start later. Flush Redis?",
            IconName = "Delete",
        });

    private static async Task<ExecuteCommandResult> FlushAsync(IResourceWithConnectionString redis, CancellationToken cancellationToken)
    {
        if (await redis.GetConnectionStringAsync(cancellationToken) is not { } connectionString)
            return CommandResults.Failure("Redis has not been started yet.");
        var options = ConfigurationOptions.Parse(connectionString);
        (options.AllowAdmin, options.AbortOnConnectFail, options.ConnectTimeout) = (true, true, 2000);
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
            var keys = 0L;
            foreach (var server in connection.GetServers())
            {
                keys += await server.DatabaseSizeAsync();
                await server.FlushAllDatabasesAsync();
            }

            return CommandResults.Success($"{keys} keys were deleted.");
        }
        catch (RedisException error)
        {
            return CommandResults.Failure($"Redis cannot be flushed: {error.Message}");
        }
    }
}
