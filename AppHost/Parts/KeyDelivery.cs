namespace WebRtcIms.AppHost;

/// <summary>
/// The long-term keys between the WAF and the TURN server. In a run the WAF makes them, and the TURN server fetches them over https; each
/// knows the other's certificate (RFC 7635 §4.1.1). The manifest has one key as a parameter: whoever deploys has certificates of their own.
/// </summary>
internal static class KeyDelivery
{
    private const string EndpointName = "keys";

    public static IResourceBuilder<ProjectResource> WithKeysFor(this IResourceBuilder<ProjectResource> waf,
        IResourceBuilder<ProjectResource> turn)
    {
        if (waf.ApplicationBuilder.ExecutionContext.IsRunMode) Deliver(waf, turn);
        else Share(waf, turn);
        return waf;
    }

    private static void Share(IResourceBuilder<ProjectResource> waf, IResourceBuilder<ProjectResource> turn)
    {
        var server = turn.Get<TurnServerAnnotation>();
        var key = waf.ApplicationBuilder.AddParameter("turn-key", new RandomKey(), secret: true)
            .WithDescription("Long-term key K of RFC 7635 between WAF and TURN server: 32 bytes in base64.");
        waf.WithEnvironment("Waf__TurnServers__0__Key", key);
        turn.WithEnvironment("Turn__Keys__0__Kid", server.KeyId)
            .WithEnvironment("Turn__Keys__0__Key", key)
            .WithEnvironment("Turn__Keys__0__Algorithm", TurnServerAnnotation.Algorithm);
    }

    private static void Deliver(IResourceBuilder<ProjectResource> waf, IResourceBuilder<ProjectResource> turn)
    {
        var folder = Path.Combine(waf.ApplicationBuilder.DataDirectory(), "certificates");
        var ofWaf = Certificate("localhost", CertificateUse.Server);
        var ofTurn = Certificate("turn", CertificateUse.Client);

        // The WAF's other clients use http; the certificate is only for the TURN server.
        waf.WithHttpsEndpoint(name: EndpointName)
            .WithEndpoint(EndpointName, endpoint => endpoint.ExcludeReferenceEndpoint = true)
            .WithUrlForEndpoint(EndpointName, url => url.DisplayLocation = UrlDisplayLocation.DetailsOnly)
            .WithEnvironment("Kestrel__Certificates__Default__Path", () => ofWaf.Value.Path)
            .WithEnvironment("Kestrel__Certificates__Default__KeyPath", () => ofWaf.Value.KeyPath)
            .WithEnvironment("Waf__TurnServers__0__CertificateSha256", () => ofTurn.Value.Fingerprint);
        turn.WithEnvironment("Turn__KeyDelivery__Address", waf.GetEndpoint(EndpointName))
            .WithEnvironment("Turn__KeyDelivery__Authority", () => ofWaf.Value.Path)
            .WithEnvironment("Turn__KeyDelivery__Certificate", () => ofTurn.Value.Path)
            .WithEnvironment("Turn__KeyDelivery__CertificateKey", () => ofTurn.Value.KeyPath);

        // Not before the start: reading the model makes no file.
        Lazy<PemCertificate> Certificate(string host, string use) =>
            new(() => DevelopmentCertificate.For(host, folder, TimeProvider.System, use).ToPem());
    }
}
