using FenceGateway.Idempotency;

namespace FenceGateway.Gateway.Idempotency;

internal static class IdempotencyExtensions
{
    private const long MiB = 1 << 20;

    /// <summary>The store, beside the token store's, and what uses it.</summary>
    public static void AddIdempotency(this IServiceCollection services, IdempotencyStoreOptions settings, bool inMemory)
    {
        services.AddSingleton<IIdempotencyStore>(provider => inMemory
            ? new MemoryIdempotencyStore(
                settings.MaxEntries, settings.MaxSizeMiB * MiB, provider.GetRequiredService<TimeProvider>())
            : ActivatorUtilities.CreateInstance<EmbeddedIdempotencyStore>(provider, new EmbeddedIdempotencyStoreOptions
            {
                Path = settings.Path,
                MaxEntries = settings.MaxEntries,
                MaxBytes = settings.MaxSizeMiB * MiB,
            }));
        services.AddSingleton<IdempotencyMetrics>();
        services.AddSingleton<ReplayAdmission>();
        services.AddHostedService<IdempotencyLifetime>();
    }
}
