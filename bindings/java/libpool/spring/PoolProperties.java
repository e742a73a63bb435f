// SPDX-License-Identifier: MIT
package libpool.spring;

import java.lang.reflect.Method;
import libpool.PooledDataSource;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.beans.factory.support.RootBeanDefinition;
import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.bind.UnboundConfigurationPropertiesException;
import org.springframework.boot.context.properties.bind.handler.NoUnboundElementsBindHandler;
import org.springframework.core.env.Environment;
import org.springframework.core.env.SystemEnvironmentPropertySource;

/**
 * Sets the properties of the data source that Spring Boot has made: first those of {@code spring.datasource.hikari}, so
 * that an application can change its pool by one line, then those of {@code spring.datasource.libpool}. Other data
 * sources are their application's own; they only get a name.
 */
public final class PoolProperties implements BeanPostProcessor {
  private static final System.Logger LOG = System.getLogger("libpool");
  private static final String UNNAMED = new PooledDataSource().getPoolName();

  private final ConfigurableListableBeanFactory beans;
  private final Environment environment;

  PoolProperties(ConfigurableListableBeanFactory beans, Environment environment) {
    this.beans = beans;
    this.environment = environment;
  }

  @Override
  public Object postProcessBeforeInitialization(Object bean, String beanName) {
    if (bean instanceof PooledDataSource source && !source.isClosed()) {
      if (isOfBoot(beanName)) {
        setAll(source);
      }
      if (source.getPoolName().equals(UNNAMED)) {
        source.setPoolName(beanName); // metrics of two pools need two names
      }
    }
    return bean;
  }

  /** Not by its name and type, which one of the application may have, too. */
  private boolean isOfBoot(String beanName) {
    return beans.containsBeanDefinition(beanName)
        && beans.getMergedBeanDefinition(beanName) instanceof RootBeanDefinition bean
        && isOfBoot(bean.getResolvedFactoryMethod());
  }

  private static boolean isOfBoot(Method maker) {
    return maker != null && maker.getDeclaringClass().getName().startsWith("org.springframework.boot.");
  }

  private void setAll(PooledDataSource source) {
    String name = environment.getProperty("spring.datasource.name");
    if (name != null && !name.isEmpty()) {
      source.setPoolName(name);
    }
    try {
      set(source, "spring.datasource.hikari");
    } catch (BindException e) {
      if (!(e.getCause() instanceof UnboundConfigurationPropertiesException)) {
        throw e;
      }
      LOG.log(System.Logger.Level.WARNING, "libpool has not all that is set for HikariCP: " + e.getCause().getMessage());
    }
    set(source, "spring.datasource.libpool");
  }

  /**
   * A name that the data source does not have is an error, after all others are set. Not in the environment, where nothing
   * tells a dash of a name from a dot between two: MAXIMUM_POOL_SIZE may be either, and Boot takes both.
   */
  private void set(PooledDataSource source, String prefix) {
    var handler =
        new NoUnboundElementsBindHandler(
            BindHandler.DEFAULT, from -> !(from.getUnderlyingSource() instanceof SystemEnvironmentPropertySource));
    Binder.get(environment).bind(prefix, Bindable.ofInstance(source), handler);
  }
}
