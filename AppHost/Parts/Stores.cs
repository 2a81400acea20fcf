namespace WebRtcIms.AppHost;

internal static class Stores
{
    private const string Postgres = "postgres";

    /// <summary>
    /// Gives the service its database <c>ConnectionStrings:{name}</c>: the one that this setting of the AppHost names; PostgreSQL in a
    /// container with <c>--stores=postgres</c> and when publishing; else a SQLite file in <c>data-directory</c>.
    /// </summary>
    /// <exception cref="DistributedApplicationException">The setting <c>stores</c> has another value.</exception>
    public static IResourceBuilder<ProjectResource> WithStore(this IResourceBuilder<ProjectResource> service, string name)
    {
        var builder = service.ApplicationBuilder;
        if (builder.Configuration.GetConnectionString(name) is { Length: > 0 } existing)
            return service.WithEnvironment($"ConnectionStrings__{name}", builder.AddParameter($"{name}-store", existing, secret: true));

        return (builder.ExecutionContext.IsPublishMode ? Postgres : builder.Configuration["stores"]) switch
        {
            null or "" or "sqlite" => service.WithEnvironment($"ConnectionStrings__{name}", builder.SqliteFile(name)),
            Postgres => service.WithPostgres(name),
            var other => throw new DistributedApplicationException($"stores must be 'sqlite' or 'postgres'; it is '{other}'."),
        };
    }

    private static IResourceBuilder<ProjectResource> WithPostgres(this IResourceBuilder<ProjectResource> service, string name)
    {
        var builder = service.ApplicationBuilder;
        var server = builder.TryCreateResourceBuilder<PostgresServerResource>(Postgres, out var existing)
            ? existing : builder.AddPostgres(Postgres);
        var database = server.AddDatabase($"{name}-store", databaseName: name);
        return service.WithReference(database, connectionName: name).WaitFor(database);
    }

    /// <summary>The setting <c>data-directory</c>; by default the folder <c>.data</c> beside the AppHost.</summary>
    public static string DataDirectory(this IDistributedApplicationBuilder builder) =>
        Path.GetFullPath(builder.Configuration["data-directory"] ?? ".data", builder.AppHostDirectory);

    private static string SqliteFile(this IDistributedApplicationBuilder builder, string name)
    {
        var folder = builder.DataDirectory();
        PrivateFolder.Create(folder);
        return $"Data Source={Path.Combine(folder, $"{name}.db")}";
    }
}
