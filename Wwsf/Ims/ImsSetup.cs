namespace WebRtcIms.Wwsf.Ims;

/// <summary>The pool of identities with its store, and the client for the eP-CSCF.</summary>
internal static class ImsSetup
{
    private const int MaxAnswerBytes = 4 * 1024;

    public static void AddIms(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        if (builder.TryAddRedisClient()) services.AddSingleton<ILeaseStore, RedisLeaseStore>();
        else services.AddSingleton<ILeaseStore, InMemoryLeaseStore>();
        services.AddSingleton<IdentityPool>();
        services.AddHostedService<PoolGauge>();

        var client = services.AddHttpClient<Registrations>(http =>
        {
            http.BaseAddress = new Uri("https+http://ep-cscf");
            http.MaxResponseContentBufferSize = MaxAnswerBytes;
        });
        client.ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false });
#pragma warning disable EXTEXP0001 // Aspire's documentation gives no other way to remove the handler of ServiceDefaults from one client.
        client.RemoveAllResilienceHandlers();
#pragma warning restore EXTEXP0001
    }
}
